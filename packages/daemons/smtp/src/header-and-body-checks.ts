/**
 * header-and-body-checks - smtp_header_checks and its kind: what tables say about the lines of a message that leaves
 *
 * Only actions that change text: nothing can be refused any more. What is done is logged. The whole body is looked at, whatever
 * body_checks_size_limit says.
 * Source: Postfix 3.7 header_checks(5), postconf(5).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import {
  ContentChecks,
  type CheckOutcome,
  type CheckTables,
} from '@posthorn/message/content-checks'
import { isHeaderStart } from '@posthorn/message/header-line'
import type { HeaderSection } from '@posthorn/message/mime-scanner'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { MapList } from '@posthorn/tables/map-list'
import type { Protocol } from './client-options.ts'
import { LocalDataError } from './session.ts'

export interface OpenedChecks {
  readonly lookups: CheckTables
  readonly tables: readonly LookupTable[]
}

/** Undefined: no parameter names a table. @throws {ConfigError} one names none that there could be */
export function openChecks(config: MainConfig, protocol: Protocol): OpenedChecks | undefined {
  const tables: LookupTable[] = []
  const open = (kind: (typeof KINDS)[number]): MapList | undefined => {
    const name = `${protocol}_${kind}` as const
    const maps = MapList.open(name, config.text(name), { config })
    tables.push(...maps.tables)
    return maps.isEmpty ? undefined : maps
  }
  const [header, mimeHeader, nestedHeader, body] = KINDS.map(open)
  return tables.length === 0
    ? undefined
    : { lookups: { header, mimeHeader, nestedHeader, body }, tables }
}

const KINDS = [
  'header_checks',
  'mime_header_checks',
  'nested_header_checks',
  'body_checks',
] as const

const SHOWN_OCTETS = 60

type Place = 'header' | 'body'

/** The checks of one message. */
export class OutgoingChecks {
  readonly #checks: ContentChecks
  readonly #queueId: string
  readonly #protocol: Protocol

  constructor(lookups: CheckTables, message: { queueId: string; protocol: Protocol }) {
    this.#checks = new ContentChecks(lookups, Infinity)
    this.#queueId = message.queueId
    this.#protocol = message.protocol
  }

  get hasBodyChecks(): boolean {
    return this.#checks.hasBodyChecks
  }

  beginSegment(): void {
    this.#checks.beginSegment()
  }

  /** What takes the place of a logical header: headers, or none. @throws {LocalDataError} */
  async header(section: HeaderSection, text: string): Promise<readonly string[]> {
    return this.#act('header', text, await this.#checks.header(section, text))
  }

  /** What takes the place of a line. @throws {LocalDataError} */
  async body(line: string): Promise<readonly string[]> {
    return this.#act('body', line, await this.#checks.body(line))
  }

  #act(place: Place, text: string, outcome: CheckOutcome): readonly string[] {
    switch (outcome.kind) {
      case 'dunno':
        return [text]
      case 'ignore':
        return []
      case 'strip':
        this.#log('strip', place, text, outcome.text)
        return []
      case 'warn':
        this.#log('warning', place, text, outcome.text)
        return [text]
      case 'info':
        this.#log('info', place, text, outcome.text)
        return [text]
      case 'prepend':
      case 'replace':
        return this.#edit(place, text, outcome)
      case 'tryAgain':
        throw new LocalDataError(`${this.#protocol} ${place} checks lookup error`)
      case 'invalid':
        log.warning(
          outcome.warning
            .replace(/^unknown/, 'unsupported')
            .replace(/(?:\w+_)?(?:header|body)_checks/, `${this.#protocol}_$&`),
        )
        return [text]
      default:
        log.warning(
          `unsupported command in ${this.#protocol}_${place}_checks map: ` +
            `${outcome.kind.toUpperCase()} ${outcome.text}`.trimEnd(),
        )
        return [text]
    }
  }

  #edit(
    place: Place,
    text: string,
    action: { readonly kind: 'prepend' | 'replace'; readonly text: string },
  ): readonly string[] {
    if (place === 'header' && !isHeaderStart(action.text)) {
      const verb = action.kind.toUpperCase()
      log.warning(
        `bad ${verb} header text "${action.text}" in ${this.#protocol}_header_checks map ` +
          '-- need "headername: headervalue"',
      )
      return [text]
    }
    this.#log(action.kind, place, text, action.text)
    return action.kind === 'prepend' ? [action.text, text] : [action.text]
  }

  #log(action: string, place: Place, text: string, comment: string): void {
    const line = `${this.#queueId}: ${action}: ${place} ${text.slice(0, SHOWN_OCTETS)}`
    log.info(comment === '' ? line : `${line}: ${comment}`)
  }
}
