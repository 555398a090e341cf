/**
 * reply-template - replaces `$client_name` and the like in reply texts that an administrator wrote
 *
 * What a client has said about itself is censored: characters outside smtpd_expansion_filter become `_`.
 * Source: Postfix 3.7 postconf(5) default_rbl_reply, smtpd_reject_footer.
 */
import { splitAddress } from '@posthorn/address/split-address'
import { expandMacros, MacroError } from '@posthorn/config/expand-macros'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { formatLogStamp } from '@posthorn/log/log-stamp'
import type { Session } from './session.ts'

/** More names, for this expansion only. */
export type TemplateValues = Readonly<Record<string, string>>

export class ReplyTemplate {
  readonly #serverName: string
  readonly #allowed: ReadonlySet<string>

  constructor(config: MainConfig) {
    this.#serverName = config.text('myhostname')
    this.#allowed = new Set(unescapeC(config.text('smtpd_expansion_filter')))
  }

  /** `recipient`: the one that is being judged, where it is known. */
  expand(
    session: Session,
    template: string,
    values: TemplateValues = {},
    recipient = session.transaction?.onlyRecipient,
  ): string {
    try {
      return expandMacros(
        template,
        (name) => {
          const value = values[name] ?? this.#find(session, recipient, name)
          if (value === undefined) log.warning(`unknown macro name "${name}" in expansion request`)
          return value === undefined ? undefined : this.#censor(value)
        },
        { isRecursive: false },
      )
    } catch (error) {
      if (!(error instanceof MacroError)) throw error
      log.warning(`${error.message}: "${template}"`)
      return template
    }
  }

  #find(
    { client, helo, transaction }: Session,
    recipient: string | undefined,
    name: string,
  ): string | undefined {
    switch (name) {
      case 'client':
        return client.label
      case 'client_address':
        return client.address
      case 'client_name':
        return client.name
      case 'client_port':
        return client.port
      case 'reverse_client_name':
        return client.reverseName
      case 'helo_name':
        return helo ?? ''
      case 'server_name':
        return this.#serverName
      case 'localtime':
        return formatLogStamp(Date.now(), ' ')
      case 'sender':
      case 'sender_name':
      case 'sender_domain':
        return part(name, transaction?.sender)
      case 'recipient':
      case 'recipient_name':
      case 'recipient_domain':
        return part(name, recipient)
      default:
        return undefined
    }
  }

  #censor(value: string): string {
    return value.replace(/[^]/g, (char) => (this.#allowed.has(char) ? char : '_'))
  }
}

/** `sender`, `sender_name` or `sender_domain`; the null sender is `<>`. */
function part(name: string, address: string | undefined): string {
  if (address === undefined) return ''
  if (name.endsWith('_domain')) return splitAddress(address).domain ?? ''
  const text = name.endsWith('_name') ? splitAddress(address).local : address
  return text === '' ? '<>' : text
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ t: '\t', n: '\n', r: '\r' },
  ...{ b: '\b', f: '\f', v: '\v' },
}

/** `\t\40`: escapes as in C. */
function unescapeC(text: string): string {
  return text.replace(/\\(?:([0-7]{1,3})|([^]))/g, (_, octal?: string, char = '') =>
    octal === undefined
      ? (ESCAPES[String(char)] ?? String(char))
      : String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
