/**
 * smtpd-sessions - plays scripted SMTP sessions to an smtpd(8), and notes what it said and logged
 *
 * A script is a list of steps: a line (CR LF is added; one reply is awaited), or raw octets with the number of replies
 * that they deserve. Sessions are played one after the other, each against one of several smtpd services of one
 * instance, so that one start of each system is enough for all configurations.
 */
import { rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Test } from 'tap'
import { freePort } from '@posthorn/testing/free-port'
import { waitFor } from '@posthorn/testing/wait-for'
import type { Instance } from '../../scripts/instance.ts'
import { comparable, startSystem, SYSTEMS } from './both-systems.ts'

/** Mail goes nowhere; domains of every class. */
export const MAIN: Readonly<Record<string, string>> = {
  smtpd_banner: '$myhostname ESMTP MTA',
  smtpd_error_sleep_time: '0',
  default_transport: 'discard:',
  relay_transport: 'discard:',
  local_transport: 'discard:',
  virtual_transport: 'discard:',
  mydestination: 'example.com',
  mynetworks: '192.0.2.0/24',
  relay_domains: 'relay.example',
  relay_recipient_maps: 'inline:{joe@relay.example=x}',
  local_recipient_maps: 'inline:{joe=x, ann=x}',
  virtual_alias_domains: 'alias.example',
  virtual_alias_maps: 'inline:{joe@alias.example=joe@example.com}',
  virtual_mailbox_domains: 'virtual.example',
  virtual_mailbox_maps: 'inline:{joe@virtual.example=joe/}',
  smtpd_client_connection_count_limit: '0',
  // many transactions here come to nothing
  in_flow_delay: '0',
}

export interface RawStep {
  readonly raw: string
  /** Default 1. Fewer come when the server ends the connection. */
  readonly replies?: number
}

export interface SessionScript {
  readonly title: string
  /** Name in the table of services; `plain` when there is none. */
  readonly service?: string
  readonly script: readonly (string | RawStep)[]
  /** Said before the greeting is awaited. */
  readonly early?: string
  /** What ends the session in the log. */
  readonly until?: RegExp
}

/** Overrides of main.cf by name of service. */
export type Services = Readonly<Record<string, Readonly<Record<string, string>>>>
export type Ports = Readonly<Record<string, number>>

const handedOut = new Set<number>()

/** The kernel may name a port again that nobody has bound yet. */
async function unusedPort(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (handedOut.has(port)) continue
    handedOut.add(port)
    return port
  }
}

/** Lines of master.cf for the services, each on a port of its own; `more` are columns and options in front of the overrides. */
export async function smtpdServices(
  services: Services,
): Promise<{ ports: Ports; master: string[] }> {
  const ports: Record<string, number> = {}
  const master: string[] = []
  for (const [name, overrides] of Object.entries(services)) {
    const port = await unusedPort()
    ports[name] = port
    const options = Object.entries(overrides).map(([key, value]) => ` -o { ${key} = ${value} }`)
    master.push(`127.0.0.1:${port} inet n - n - - smtpd${options.join('')}`)
  }
  return { ports, master }
}

const REPLY = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r?\n/
const REPLY_MS = 8_000

/** One TCP connection whose words are noted. */
class Talk {
  readonly notes: string[] = []
  readonly #socket
  #received = ''
  #isOver = false

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1')
    })
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.#isOver = true
    })
  }

  /** Waits for one reply; notes its absence. */
  async reply(): Promise<void> {
    await waitFor(() => REPLY.test(this.#received) || this.#isOver, 'a reply', REPLY_MS).catch(
      () => {
        this.notes.push('S: (nothing)')
      },
    )
    const [reply = ''] = REPLY.exec(this.#received) ?? []
    this.#received = this.#received.slice(reply.length)
    if (reply !== '')
      this.notes.push(
        ...reply
          .trimEnd()
          .split(/\r?\n/)
          .map((line) => `S: ${line}`),
      )
  }

  say(octets: string): void {
    const shown = octets.length > 120 ? `${octets.slice(0, 100)}... (${octets.length})` : octets
    this.notes.push(`C: ${JSON.stringify(shown).slice(1, -1)}`)
    if (!this.#isOver) this.#socket.write(Buffer.from(octets, 'latin1'))
  }

  /** Our side ends; notes what the server still says. */
  async end(): Promise<void> {
    if (!this.#isOver) this.#socket.end()
    await waitFor(() => this.#isOver, 'the end of the connection', REPLY_MS).catch(() => undefined)
    this.#socket.destroy()
    if (this.#received !== '') this.notes.push(`S: ${JSON.stringify(this.#received)}`)
  }
}

/** Plays one session; what was said, then what smtpd(8) logged. */
export async function playSession(
  instance: Instance,
  ports: Ports,
  session: SessionScript,
): Promise<string> {
  const before = (await instance.log()).length
  const port = ports[session.service ?? 'plain']
  if (port === undefined) throw new Error(`no service ${session.service ?? 'plain'}`)
  const talk = new Talk(port)
  if (session.early !== undefined) talk.say(session.early)
  await talk.reply()
  for (const step of session.script) {
    if (typeof step === 'string') {
      talk.say(`${step}\r\n`)
      await talk.reply()
      continue
    }
    talk.say(step.raw)
    for (let count = step.replies ?? 1; count > 0; count--) await talk.reply()
  }
  await talk.end()
  const until = session.until ?? /smtpd\[\d+\]: disconnect from/
  const lines = await waitFor(
    async () => {
      const text = (await instance.log()).slice(before)
      return until.test(text) ? text.split('\n') : undefined
    },
    `the end of "${session.title}" in the log`,
    REPLY_MS,
  ).catch(async () => [...(await instance.log()).slice(before).split('\n'), '(no end in the log)'])
  const logged = lines
    .filter((line) => /smtpd\[\d+\]: /.test(line) || line.startsWith('('))
    // after a change of directory or a pause: their own housekeeping
    .filter((line) => !/(name_mask|inet_addr_local): /.test(line))
  return plain([...talk.notes, ...logged].join('\n'), port)
}

/** What differs from run to run is replaced, ports and queue ids in particular. */
function plain(text: string, port: number): string {
  return comparable(text)
    .replaceAll(`127.0.0.1:${port}`, 'SERVICE')
    .replace(/^.*smtpd\[PID\]: /gm, 'L: ')
    .replace(/(127\.0\.0\.1\]):\d{4,5}\b/g, '$1:PORT')
}

/** Lines that only one has said, each behind what the client had said before. */
export function differences(theirs: string, ours: string): string[] {
  const [left, right] = [theirs.split('\n'), ours.split('\n')]
  // lengths of the longest common subsequences of what is left
  const common = Array.from({ length: left.length + 1 }, () =>
    new Array<number>(right.length + 1).fill(0),
  )
  const at = (i: number, j: number): number => common[i]?.[j] ?? 0
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      const row = common[i] ?? []
      row[j] = left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const found: string[] = []
  let said = ''
  for (let i = 0, j = 0; i < left.length || j < right.length;) {
    const [a, b] = [left[i], right[j]]
    if (a !== undefined && a === b) {
      if (a.startsWith('C: ')) said = a
      i++
      j++
    } else if (b === undefined || (a !== undefined && at(i + 1, j) >= at(i, j + 1))) {
      found.push(`${said} / Postfix: ${a}`)
      i++
    } else {
      found.push(`${said} / Posthorn: ${b}`)
      j++
    }
  }
  return found
}

export interface Comparison {
  readonly main?: Readonly<Record<string, string>>
  readonly services: Services
  readonly sessions: readonly SessionScript[]
  /** What may differ is replaced; the test says why. */
  readonly alike?: readonly (readonly [RegExp, string])[]
  /** Messages on hold are compared, too, and removed. */
  readonly comparesMail?: boolean
}

/** The messages on hold as postcat(1) shows them, in the order of their arrival; none are left. */
async function takeHeld(instance: Instance): Promise<string> {
  let text = ''
  const paths = (await instance.queued('hold')).map((name) => join(instance.queueDirectory, name))
  const found = await Promise.all(
    paths.map(async (path) => ({ path, arrivalMs: (await stat(path)).mtimeMs })),
  )
  for (const { path } of found.sort((one, other) => one.arrivalMs - other.arrivalMs)) {
    const { stdout } = await execa('/usr/sbin/postcat', ['-o', path], { reject: false })
    await rm(path)
    // sizes, offsets and times are not what is compared here
    const lines = stdout
      .split('\n')
      .map((line) => line.replace(/^ *\d+ /, '').replace(/(_port=)\d+/, '$1PORT'))
      .filter((line) => !/^(?:message_size|message_arrival_time|create_time|\*\*\*)/.test(line))
    text += `\nM: ${lines.join('\nM: ')}`
  }
  return text
}

/** Plays the sessions to both systems, side by side; each must have said and logged the same. */
export async function compareSessions(t: Test, comparison: Comparison): Promise<void> {
  const { services, sessions } = comparison
  const played = await Promise.all(
    SYSTEMS.map(async (system) => {
      const { ports, master } = await smtpdServices(services)
      const instance = await startSystem(t, system, {
        main: { ...MAIN, ...comparison.main },
        master,
      })
      const seen: string[] = []
      for (const session of sessions) {
        const at = Date.now()
        {
          const said = await playSession(instance, ports, session)
          const mail = comparison.comparesMail === true ? comparable(await takeHeld(instance)) : ''
          seen.push(said + mail)
        }
        if (Date.now() - at > 1000) console.error(system, session.title, Date.now() - at)
      }
      await instance.stop()
      return seen
    }),
  )
  const [theirs = [], ours = []] = played
  for (const [index, { title, service = 'plain' }] of sessions.entries()) {
    const alike = (text = ''): string =>
      (comparison.alike ?? []).reduce(
        (rest, [found, instead]) => rest.replace(found, instead),
        text,
      )
    const differing = differences(alike(theirs[index]), alike(ours[index]))
    t.equal(differing.length, 0, `${service}: ${title}`)
    for (const line of differing) t.comment(line)
  }
}
