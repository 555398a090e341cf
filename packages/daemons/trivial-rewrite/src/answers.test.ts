import { readFileSync, writeFileSync } from 'node:fs'
import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import { AddressResolver } from './address-resolver.ts'
import { readRewriteSettings, rewriteAddress } from './rewrite-address.ts'
import { openRoutes } from './routes.ts'
import { openSites } from './sites.ts'

/** Lines of settings (`= name = value`) begin a new configuration; lines of requests are answered under it. */
async function answerAll(text: string): Promise<string> {
  let report = ''
  let settings: Record<string, string> = {}
  let isAsking = false
  for (const line of text.split('\n').slice(0, -1)) {
    report += `${line}\n`
    if (line === '' || line.startsWith('#')) continue
    if (line.startsWith('= ')) {
      if (isAsking) settings = {}
      isAsking = false
      const [, name = '', value = ''] = /^= (\S+) = (.*)$/.exec(line) ?? []
      settings[name] = value
      continue
    }
    isAsking = true
    const config = MainConfig.of({
      myhostname: 'mx.example.test',
      mydestination: 'example.test, localhost',
      inet_interfaces: '127.0.0.1',
      compatibility_level: '3.7',
      smtputf8_enable: 'no',
      ...settings,
    })
    report += `  ${await answer(config, line)}\n`
  }
  return report
}

async function answer(config: MainConfig, line: string): Promise<string> {
  const [verb = '', first = '', ...rest] = line.split(' ')
  if (verb === 'local' || verb === 'remote') {
    return rewriteAddress([first, ...rest].join(' '), verb, readRewriteSettings(config))
  }
  const routes = openRoutes(config, verb === 'verify' ? 'probe' : 'mail')
  const resolver = new AddressResolver(config, await openSites(config), routes)
  const reply = await resolver.resolve(first === '<>' ? '' : first, rest.join(' '))
  return `${reply.transport} | ${reply.nexthop} | ${reply.recipient} | ${reply.flags}`
}

t.test('trivial-rewrite answers as in answers.ref', async (t) => {
  const cases = readFileSync(new URL('answers.in', import.meta.url), 'latin1')
  const reference = new URL('answers.ref', import.meta.url)
  const report = await answerAll(cases)
  if (process.env['POSTHORN_GOLDEN'] === 'write') writeFileSync(reference, report, 'latin1')
  t.equal(report, readFileSync(reference, 'latin1'))
})
