/**
 * trust-store - the certification authorities that main.cf names: CAfile, CApath, and those of the system
 *
 * Read once, before privileges are dropped and before a chroot; a CApath is read as a whole (its `HASH.NUMBER` files), where
 * OpenSSL would look for one issuer at a time.
 * Limits: docs/limits.md; a file is read as it is, main.cf names it.
 * Source: Postfix 3.7 postconf(5) smtp_tls_CAfile, smtp_tls_CApath, tls_append_default_CA.
 */
import { X509Certificate } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { log } from '@posthorn/log/log'
import { errorCode } from '@posthorn/native/system-error'
import { libraryProblems, logLibraryProblems, logOpenProblem } from './library-problem.ts'
import { splitPem } from './pem.ts'

/** Where systems keep their bundle; OpenSSL obeys SSL_CERT_FILE first. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

export interface TrustSettings {
  readonly caFile: string
  readonly caPath: string
  readonly appendsDefaultCa: boolean
}

/** @returns PEM texts, none: nobody is trusted; undefined: TLS support is disabled, which has been logged */
export async function openTrustStore(settings: TrustSettings): Promise<string[] | undefined> {
  const { caFile, caPath } = settings
  const texts: string[] = []
  try {
    if (caFile !== '') texts.push(await readAuthorities(caFile))
  } catch (error) {
    logRefusal(settings, error)
    return undefined
  }
  if (caPath !== '') texts.push(...(await readHashedDirectory(caPath)))
  if (settings.appendsDefaultCa) texts.push(...(await readSystemBundle()))
  return texts
}

/** A file without a certificate is as bad as none. @throws {Error} */
async function readAuthorities(path: string): Promise<string> {
  const text = await readIfFile(path)
  const certificates = splitPem(text).filter((block) => block.label.endsWith('CERTIFICATE'))
  if (certificates.length === 0) {
    throw new Error('error:05800088:x509 certificate routines::no certificate or crl found:')
  }
  for (const certificate of certificates) new X509Certificate(certificate.text)
  return text
}

/** A directory has no certificates in it, as far as CAfile is concerned. */
async function readIfFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    if (errorCode(error) === 'EISDIR') return ''
    throw error
  }
}

/** A directory that is not there has no authorities; neither has a broken file in it. OpenSSL looks only when it needs one. */
async function readHashedDirectory(path: string): Promise<string[]> {
  const names = await readdir(path).catch(() => [])
  const texts: string[] = []
  for (const name of names.filter((it) => /^[0-9a-f]{8}\.\d+$/.test(it)).sort()) {
    await readAuthorities(join(path, name)).then(
      (text) => texts.push(text),
      () => undefined,
    )
  }
  return texts
}

async function readSystemBundle(): Promise<string[]> {
  const named = process.env['SSL_CERT_FILE']
  for (const path of named === undefined ? SYSTEM_BUNDLES : [named]) {
    try {
      return [await readFile(path, 'latin1')]
    } catch {
      // it is the bundle of another kind of system
    }
  }
  return []
}

function logRefusal({ caFile, caPath }: TrustSettings, error: unknown): void {
  const places = [
    ...(caFile === '' ? [] : [`CAfile="${caFile}"`]),
    ...(caPath === '' ? [] : [`CApath="${caPath}"`]),
  ].join(', ')
  log.info(`cannot load Certification Authority data, ${places}: disabling TLS support`)
  if (errorCode(error) !== undefined && libraryProblems(error).length === 0) {
    logOpenProblem(caFile, error)
  } else logLibraryProblems(error)
}
