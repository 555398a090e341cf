/**
 * rewrite-questions - the same questions to trivial-rewrite(8) of both systems
 *
 * One instance of each system, with a rewrite service for every set of parameters (`-o` in master.cf). A question is
 * `local ADDRESS`, `remote ADDRESS`, `resolve SENDER ADDRESS` or `verify SENDER ADDRESS`; `<>` is the null sender, and
 * what the resolver calls next-hop in an answer of kind "error" is free text.
 */
import { join } from 'node:path'
import { Channel } from '@posthorn/wire/channel'
import {
  ProbeResolveRequest,
  ResolveReplyList,
  ResolveRequest,
  RESOLVE_FLAGS,
  RewriteReply,
  RewriteRequest,
  rewriteProtocol,
} from '@posthorn/wire/rewrite-protocol'
import type { Test } from 'tap'
import { SYSTEMS, startSystem } from './both-systems.ts'

export interface Questions {
  readonly main?: Readonly<Record<string, string>>
  readonly questions: readonly string[]
}

async function ask(channel: Channel, question: string): Promise<string> {
  const [verb = '', ...rest] = question.split(' ')
  if (verb === 'local' || verb === 'remote') {
    channel.send(RewriteRequest.encode({ rule: verb, address: rest.join(' ') }))
    return RewriteReply.parse(await channel.receiveReply()).address
  }
  const [first = '', ...words] = rest
  const request = { sender: first === '<>' ? '' : first, address: words.join(' ') }
  channel.send((verb === 'verify' ? ProbeResolveRequest : ResolveRequest).encode(request))
  const reply = ResolveReplyList.parse(await channel.receiveReply())
  const { transport, nexthop, recipient, flags } = reply
  // A table failed: nobody reads more.
  if ((flags & RESOLVE_FLAGS.fail) !== 0) return 'failed'
  // Bad syntax: nobody reads the route.
  const route = (flags & RESOLVE_FLAGS.error) === 0 ? `${transport} | ${nexthop}` : '-'
  return `${route} | ${recipient} | ${flags}`
}

const LATEST = '127.0.0.1'

/** Asks both and compares, question by question. */
export async function compareAnswers(t: Test, blocks: readonly Questions[]): Promise<void> {
  const answers: string[][][] = []
  for (const system of SYSTEMS) {
    const instance = await startSystem(t, system, {
      main: {
        myorigin: 'example.test',
        mydomain: 'example.test',
        mydestination: 'example.test, localhost',
        inet_interfaces: LATEST,
      },
      master: blocks.map(({ main = {} }, at) => {
        const options = Object.entries(main).map(([name, value]) => {
          return ` -o { ${name} = ${value.replaceAll('$', '$$$$')} }`
        })
        return `rewrite${at} unix - - n - - trivial-rewrite${options.join('')}`
      }),
    })
    const found: string[][] = []
    for (const [at, { main, questions }] of blocks.entries()) {
      const path = join(instance.queueDirectory, 'private', `rewrite${at}`)
      const failed = async (error: unknown): Promise<never> => {
        const log = (await instance.log()).slice(-1000)
        throw new Error(`Cannot ask under ${JSON.stringify(main)}: ${log}`, { cause: error })
      }
      const options = { protocol: rewriteProtocol, timeoutMs: 20_000 }
      const channel = await Channel.connect(path, options).catch(failed)
      const given: string[] = []
      for (const question of questions) given.push(await ask(channel, question).catch(failed))
      channel.close()
      found.push(given)
    }
    answers.push(found)
    await instance.stop()
  }
  const [theirs = [], ours = []] = answers
  for (const [at, { main = {}, questions }] of blocks.entries()) {
    const settings = Object.entries(main).map(([name, value]) => `${name} = ${value}`)
    for (const [index, question] of questions.entries()) {
      t.equal(ours[at]?.[index], theirs[at]?.[index], [question, ...settings].join(', '))
    }
  }
}
