/**
 * server-sni - certificates for the names that clients ask for: tls_server_sni_maps
 *
 *     sni.example.com     .example.com     .com
 *
 * The name as it was sent, then its parent domains with a dot before them; tables of patterns get each of them. The first
 * that is found decides. The value is what stands in the files of a chain (keys and certificates in PEM), in base64.
 * Trusts the tables, and nothing of what the client sends.
 * Source: Postfix 3.7 postconf(5) tls_server_sni_maps, and as tlsproxy(8) logs.
 */
import { isValidHostname } from '@posthorn/address/hostname'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import type { LookupResult } from '@posthorn/tables/lookup-table'
import { MapList } from '@posthorn/tables/map-list'
import { parseChain, type Identity } from './client-identity.ts'

const PARAMETER = 'tls_server_sni_maps'

export type SniAnswer =
  | { readonly kind: 'found'; readonly identities: readonly Identity[] }
  /** The default certificates will do. */
  | { readonly kind: 'absent' }
  /** The handshake must not go on; it was logged. */
  | { readonly kind: 'failed' }

const ABSENT: SniAnswer = { kind: 'absent' }
const FAILED: SniAnswer = { kind: 'failed' }

export class SniMaps {
  readonly #maps: MapList

  constructor(maps: MapList) {
    this.#maps = maps
  }

  /** Undefined: there are none. Files that tables name are read now. @throws {ConfigError} an item is no table reference */
  static open(text: string, config: MainConfig): SniMaps | undefined {
    const maps = MapList.open(PARAMETER, text, { config, valuesAreFiles: true })
    return maps.isEmpty ? undefined : new SniMaps(maps)
  }

  /** `name`: octets, from the client. Says in the log why it was of no use. */
  async find(name: string, peer: string): Promise<SniAnswer> {
    if (!isValidHostname(name)) {
      log.warning(`TLS SNI from ${peer} is invalid: ${name}`)
      return ABSENT
    }
    const answer = await this.#lookup(name)
    switch (answer.kind) {
      case 'absent':
        log.info(`TLS SNI ${name} from ${peer} not matched, using default chain`)
        return ABSENT
      case 'tryAgain':
        log.warning(`${PARAMETER}: ${name} map lookup problem`)
        return FAILED
      case 'found': {
        const pem = Buffer.from(answer.value, 'base64').toString('latin1')
        const title = `SNI data for ${name}`
        const identities = parseChain(pem, title, 'aborting TLS handshake')
        return identities === undefined ? FAILED : { kind: 'found', identities }
      }
    }
  }

  async #lookup(name: string): Promise<LookupResult> {
    let key = name
    for (;;) {
      const answer = await this.#maps.find(key)
      if (answer.kind !== 'absent') return answer
      const dot = key.indexOf('.', 1)
      if (dot < 0) return answer
      key = key.slice(dot)
    }
  }
}
