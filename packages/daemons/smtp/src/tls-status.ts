/**
 * tls-status - smtp_log_tls_feature_status: what was asked of TLS and what came of it, for the line in the log
 *
 *     none              nothing was asked for
 *     may               TLS was asked for at this level, and the session had it
 *     may:none          there was no TLS, or of a lower level
 *     encrypt?          the session ended before that was settled
 *     may/requiretls    REQUIRETLS was asked for and said; `:none`, `?` as above
 *
 * The words are the levels of smtp_tls_security_level. Source: Postfix 3.11, as its log has `tls=`.
 */
import { isMatched } from '@posthorn/tls/client-engine'
import { TLS_LEVELS, type TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import { FEATURES } from './features.ts'
import type { Session } from './session.ts'
import { tlsLevelName } from './tls-options.ts'

type Facts = Pick<Session, 'wantedTlsLevel' | 'isTlsSettled' | 'asksForRequireTls' | 'features'> & {
  readonly tlsContext?: Pick<TlsContext, 'level' | 'peerStatus'> | undefined
}

export function tlsStatus(session: Facts): string {
  const { wantedTlsLevel, tlsContext, asksForRequireTls, features } = session
  const had = tlsContext?.level ?? TLS_LEVELS.none
  const isSettled = tlsContext === undefined ? hasNoTls(session) : isMatched(tlsContext)
  const level = outcome(tlsLevelName(wantedTlsLevel), tlsLevelName(had), isSettled)
  if (!asksForRequireTls) return level
  const isSaid = tlsContext !== undefined && (features & FEATURES.requireTls) !== 0
  return `${level}/${outcome('requiretls', isSaid ? 'requiretls' : 'none', isSettled)}`
}

/** It is known that there is none. */
function hasNoTls({ wantedTlsLevel, isTlsSettled }: Facts): boolean {
  return isTlsSettled || wantedTlsLevel === TLS_LEVELS.none
}

function outcome(wanted: string, had: string, isSettled: boolean): string {
  if (!isSettled) return `${wanted}?`
  return had === wanted ? wanted : `${wanted}:${had}`
}
