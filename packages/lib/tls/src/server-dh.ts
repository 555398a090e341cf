/**
 * server-dh - the groups of finite-field Diffie-Hellman with TLS 1.2 and older
 *
 * smtpd_tls_dh1024_param_file, whatever its name says, holds one of 1024 bits or more; without it OpenSSL takes one that suits
 * the certificate's key. With TLS 1.3 the groups are those of tls_ffdhe_auto_groups.
 * Source: Postfix 3.7 postconf(5) smtpd_tls_dh1024_param_file, as tlsproxy(8) logs; SSL_CTX_set_dh_auto(3).
 */
import { readFile } from 'node:fs/promises'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { children } from './der.ts'
import { splitPem, type PemBlock } from './pem.ts'

const AUTO = 'auto'

/** PEM, or 'auto'. What is of no use is logged. */
export async function openDhParameters(path: string): Promise<string> {
  if (path === '' || path === AUTO) return AUTO
  let pem: string
  try {
    pem = await readFile(path, 'latin1')
  } catch (error) {
    const reason = errorReason(error)
    log.warning(
      `error opening DH parameter file "${path}": ${reason} -- using compiled-in defaults`,
    )
    return AUTO
  }
  if (splitPem(pem).some(isUsable)) return pem
  log.warning(`error decoding DH parameters from file "${path}" -- using compiled-in defaults`)
  log.warning('TLS library problem: error:1E08010C:DECODER routines::unsupported:')
  return AUTO
}

const INTEGER = 0x02
/** node:tls takes no smaller ones. */
const MIN_BITS = 1024

/** PKCS #3: a prime and a generator. node:tls says nothing about what it cannot read. */
function isUsable({ label, der }: PemBlock): boolean {
  if (label !== 'DH PARAMETERS') return false
  try {
    const [prime, generator] = children(children(der)[0]?.content ?? Buffer.of())
    if (prime?.tag !== INTEGER || generator?.tag !== INTEGER) return false
    return prime.content.toString('hex').replace(/^0+/, '').length * 4 >= MIN_BITS
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}
