import { readFileSync } from 'node:fs'
import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import { AddressResolver } from './address-resolver.ts'
import { readRewriteSettings, rewriteAddress } from './rewrite-address.ts'
import { openRoutes } from './routes.ts'
import { openSites } from './sites.ts'

type Answer = (verb: string, address: string) => Promise<string>

async function answers(settings: string): Promise<Answer> {
  const config = MainConfig.parse(settings, { directory: '/etc/postfix' })
  const sites = await openSites(config)
  const mail = new AddressResolver(config, sites, openRoutes(config, 'mail'))
  const probe = new AddressResolver(config, sites, openRoutes(config, 'probe'))
  return async (verb, address) => {
    if (verb === 'local' || verb === 'remote') {
      return rewriteAddress(address, verb, readRewriteSettings(config))
    }
    const resolver = verb === 'verify' ? probe : mail
    const reply = await resolver.resolve(verb === 'verify' ? '' : verb.slice(1, -1), address)
    return `${reply.transport} | ${reply.nexthop} | ${reply.recipient} | ${reply.flags}`
  }
}

t.test('answers are those of Postfix 3.7.11 in postfix.ref', async (t) => {
  const text = readFileSync(new URL('postfix.ref', import.meta.url), 'latin1')
  const differences: string[] = []
  for (const block of text.split('\n\n')) {
    const lines = block.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    const settings = lines.filter((line) => line.startsWith('= '))
    const answer = await answers(settings.map((line) => `${line.slice(2)}\n`).join(''))
    for (const line of lines.slice(settings.length)) {
      const [, verb = '', address = '', wanted = ''] = /^(\S+) (.*) => (.*)$/.exec(line) ?? []
      const given = await answer(verb, address)
      const shown = wanted.startsWith('* |') ? given.replace(/^.*? \| .*? \|/, '* |') : given
      if (shown !== wanted) differences.push(`${line}, not ${shown}`)
    }
  }
  t.same(differences, [])
})
