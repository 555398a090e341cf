/**
 * reply-footer - text that is appended to each refusal: smtpd_reject_footer
 *
 *     550-5.1.1 <user@example.com>: Recipient address rejected: User unknown
 *     550 5.1.1 For assistance, call 800-555-0101
 *
 * `\c` at the start appends to the reply's own line, `\n` begins another one. smtpd_reject_footer_maps, asked with the
 * reply's last line, have the first word; a table that answers later than at once cannot be asked here.
 * Source: Postfix 3.7 postconf(5).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { MapList } from '@posthorn/tables/map-list'
import { ReplyTemplate } from './reply-template.ts'
import type { Session } from './session.ts'

export class ReplyFooter {
  readonly #footer: string
  readonly #maps: MapList
  readonly #template: ReplyTemplate

  private constructor(footer: string, maps: MapList, template: ReplyTemplate) {
    this.#footer = footer
    this.#maps = maps
    this.#template = template
  }

  /** Undefined when there is none. @throws {ConfigError} */
  static open(config: MainConfig): ReplyFooter | undefined {
    const footer = config.text('smtpd_reject_footer')
    const name = 'smtpd_reject_footer_maps'
    const maps = MapList.open(name, config.text(name), { config })
    if (footer === '' && maps.isEmpty) return undefined
    return new ReplyFooter(footer, maps, new ReplyTemplate(config))
  }

  /** The reply with what belongs behind it. */
  append(session: Session, lines: readonly string[]): readonly string[] {
    const last = lines.at(-1) ?? ''
    const [, code = '', detail = ''] =
      /^([45]\d\d)[ -](?:([45]\.\d{1,3}\.\d{1,3}) )?/.exec(last) ?? []
    if (code === '') return lines
    const footer = this.#find(last)
    if (footer === '') return lines
    const isSameLine = footer.startsWith('\\c')
    const text = this.#template.expand(session, isSameLine ? footer.slice(2) : footer)
    const [first = '', ...more] = text.split('\\n')
    const head = detail === '' ? '' : `${detail} `
    const all = [
      ...lines.slice(0, -1),
      ...(isSameLine ? [`${last}${first}`] : [last, `${code} ${head}${first}`]),
      ...more.map((line) => `${code} ${head}${line}`),
    ]
    return all.map(
      (line, index) => `${line.slice(0, 3)}${index < all.length - 1 ? '-' : ' '}${line.slice(4)}`,
    )
  }

  #find(reply: string): string {
    if (this.#maps.isEmpty) return this.#footer
    const answer = this.#maps.find(reply)
    if (answer instanceof Promise) {
      log.warning(
        'smtpd_reject_footer_maps: a table that is asked over the network is of no use here',
      )
      return this.#footer
    }
    return answer.kind === 'found' ? answer.value : this.#footer
  }
}
