/**
 * submit-permission - who may submit mail, and as whom
 *
 * authorized_submit_users names the users, local_login_sender_maps the envelope senders of each: `*` any, `<>` the null
 * sender, `@domain`, or an address; an extension in the sender does not matter.
 *
 * Source: Postfix 3.7 postdrop(1), postconf(5).
 */
import { foldCaseUtf8, splitAddress, splitExtension } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import { findUserById } from '@posthorn/native/user'
import { MapList } from '@posthorn/tables/map-list'
import { StringList } from '@posthorn/tables/match-list'
import { CLEANUP_STATUS, type SubmissionResult } from '@posthorn/wire/postdrop-protocol'

export class SubmitPermission {
  readonly #config: MainConfig
  readonly #uid: number
  readonly #login: string | undefined

  constructor(config: MainConfig, uid: number) {
    this.#config = config
    this.#uid = uid
    this.#login = findUserById(uid)?.name
  }

  get userName(): string {
    return this.#login ?? 'unknown'
  }

  /** @throws {TableUnavailableError} */
  async maySubmit(): Promise<boolean> {
    const name = 'authorized_submit_users'
    const users = StringList.open(name, this.#config.text(name), { config: this.#config })
    return users.matches(this.userName)
  }

  /** undefined: the sender is allowed. */
  async senderProblem(sender: string): Promise<SubmissionResult | undefined> {
    const name = 'local_login_sender_maps'
    const text = this.#config.text(name)
    if (text === 'static:*') return undefined
    const maps = MapList.open(name, text, { config: this.#config })
    const answer = await maps.find(this.#login ?? `uid:${this.#uid}`)
    if (answer.kind === 'tryAgain') {
      return { status: CLEANUP_STATUS.write, reason: `${name} lookup problem` }
    }
    const patterns = answer.kind === 'found' ? splitList(answer.value) : []
    if (patterns.some((pattern) => this.#isAllowed(sender, pattern))) return undefined
    const reason = `not authorized to use sender='${sender}'`
    return { status: CLEANUP_STATUS.noPermission, reason }
  }

  #isAllowed(sender: string, pattern: string): boolean {
    if (pattern === '*') return true
    const key = this.#config.text('empty_address_local_login_sender_maps_lookup_key')
    if (sender === '') return pattern === key
    const { local, domain } = splitAddress(foldCaseUtf8(sender))
    const wanted = foldCaseUtf8(pattern)
    if (wanted.startsWith('@')) return wanted === `@${domain ?? ''}`
    const user = splitExtension(local, {
      delimiters: this.#config.text('recipient_delimiter'),
      isOwnerRequestSpecial: this.#config.boolean('owner_request_special'),
    })?.user
    const suffix = domain === undefined ? '' : `@${domain}`
    return wanted === local + suffix || (user !== undefined && wanted === user + suffix)
  }
}
