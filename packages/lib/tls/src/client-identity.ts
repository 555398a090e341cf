/**
 * client-identity - our own certificates and keys: of a client, for servers that ask for one, and of a server
 *
 * smtp_tls_chain_files, or else a certificate file with or without a key file for each kind of key. Read once, before
 * privileges are dropped. What cannot be used disables TLS support, as in Postfix: a server that wants our certificate would
 * refuse us without it.
 * Source: Postfix 3.7 postconf(5) smtp_tls_chain_files, smtp_tls_cert_file, smtpd_tls_..., as smtp(8) and tlsproxy(8) log.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { log } from '@posthorn/log/log'
import { errorCode, errorReason } from '@posthorn/native/system-error'
import type { TlsClientInit } from '@posthorn/wire/tlsproxy-protocol'
import { logLibraryProblems, logOpenProblem } from './library-problem.ts'
import { splitPem, type PemBlock } from './pem.ts'

/** One key with its certificate and the issuers of that, in PEM. */
export interface Identity {
  readonly key: string
  readonly chain: string
}

/** @returns undefined: TLS support is disabled, which has been logged */
export async function openIdentities(init: TlsClientInit): Promise<Identity[] | undefined> {
  const chainFiles = init.chainFiles.split(/[\s,]+/).filter((path) => path !== '')
  if (chainFiles.length > 0) {
    const blocks = await readBlocks(chainFiles)
    // as Postfix: without the files there is no certificate, but TLS there is
    return blocks === undefined ? [] : chains(blocks, chainFiles.join(', '), 'key first')
  }
  const identities: Identity[] = []
  for (const [type, certFile, keyFile] of [
    ['RSA', init.certFile, init.keyFile],
    ['DSA', init.dsaCertFile, init.dsaKeyFile],
    ['ECDSA', init.ecCertFile, init.ecKeyFile],
  ] as const) {
    if (certFile === '') continue
    const found =
      keyFile === '' || keyFile === certFile
        ? await readOneFile(certFile)
        : await readPair(type, certFile, keyFile)
    if (found === undefined) return undefined
    identities.push(...found)
  }
  return identities
}

interface PlacedBlock extends PemBlock {
  readonly path: string
  /** In its file, from 1. */
  readonly index: number
}

/** All files are one sequence. @returns undefined: a file cannot be read, which has been logged */
async function readBlocks(paths: readonly string[]): Promise<PlacedBlock[] | undefined> {
  const blocks: PlacedBlock[] = []
  for (const path of paths) {
    try {
      blocks.push(...placedBlocks(await readFile(path, 'latin1'), path))
    } catch (error) {
      // a directory has no PEM data in it
      if (errorCode(error) === 'EISDIR') continue
      log.warning(`error opening chain file: ${path}: ${errorReason(error)}`)
      return undefined
    }
  }
  return blocks
}

function placedBlocks(text: string, path: string): PlacedBlock[] {
  return [...splitPem(text).entries()].flatMap(([at, block]) => {
    if (isKey(block) || isCertificate(block)) return [{ ...block, path, index: at + 1 }]
    log.warning(`loading ${path}: ignoring PEM type: ${block.label}`)
    return []
  })
}

/**
 * What stands in chain files. `title` and `consequence`: for the log.
 * @returns undefined: it is of no use, which has been logged
 */
export function parseChain(
  text: string,
  title: string,
  consequence: string,
): Identity[] | undefined {
  return chains(placedBlocks(text, title), title, 'key first', consequence)
}

function isKey({ label }: PemBlock): boolean {
  return /^([A-Z]+ )?PRIVATE KEY$/.test(label) && label !== 'ENCRYPTED PRIVATE KEY'
}

function isCertificate({ label }: PemBlock): boolean {
  return label.endsWith('CERTIFICATE')
}

/** Key and certificates, in any order of the two. */
async function readOneFile(path: string): Promise<Identity[] | undefined> {
  const blocks = await readBlocks([path])
  return blocks === undefined ? undefined : chains(blocks, path, 'any order')
}

/** A key, its certificate, the issuers of that; the next key. */
function chains(
  blocks: readonly PlacedBlock[],
  path: string,
  order: 'key first' | 'any order',
  consequence = 'disabling TLS support',
): Identity[] | undefined {
  const fault = faultOf(blocks, path, order)
  if (fault !== undefined) {
    if (fault.text !== '') log.warning(fault.text)
    logLibraryProblems(fault.error)
    return refuse(`error loading private keys and certificates from: ${path}: ${consequence}`)
  }
  const sorted =
    order === 'key first' ? blocks : [...blocks.filter(isKey), ...blocks.filter(isCertificate)]
  const identities: { key: string; chain: string }[] = []
  for (const block of sorted) {
    const current = identities.at(-1)
    if (isKey(block)) identities.push({ key: block.text, chain: '' })
    else if (current !== undefined) current.chain += block.text
  }
  return identities
}

interface ChainFault {
  readonly text: string
  readonly error?: unknown
}

function faultOf(
  blocks: readonly PlacedBlock[],
  path: string,
  order: 'key first' | 'any order',
): ChainFault | undefined {
  const [first] = blocks
  if (first === undefined) return { text: `No PEM data in ${path}` }
  const keys = blocks.filter(isKey)
  if (order === 'any order') {
    const [key] = keys
    const leaf = blocks.find(isCertificate)
    if (key === undefined) return { text: `No private key found in ${path}` }
    if (leaf === undefined) return { text: `No certs for key at index ${key.index} in ${key.path}` }
    return pairFault(key, leaf)
  }
  if (!isKey(first)) return { text: `error loading chain from ${first.path}: key not first` }
  for (const [at, block] of blocks.entries()) {
    if (!isKey(block)) continue
    const next = blocks[at + 1]
    if (next === undefined)
      return { text: `No certs for key at index ${block.index} in ${block.path}` }
    if (isKey(next)) {
      return {
        text: `error loading certificate chain: key at index ${block.index} in ${block.path} not followed by a certificate`,
      }
    }
    const fault = pairFault(block, next) ?? repeatFault(block, blocks.slice(0, at))
    if (fault !== undefined) return fault
  }
  return undefined
}

/** One key of each type; OpenSSL has no room for more. */
function repeatFault(key: PlacedBlock, before: readonly PlacedBlock[]): ChainFault | undefined {
  const typeOf = ({ text }: PemBlock): string | undefined =>
    createPrivateKey(text).asymmetricKeyType
  if (!before.some((block) => isKey(block) && typeOf(block) === typeOf(key))) return undefined
  const error = new Error('error:0A000121:SSL routines::not replacing certificate:')
  return { text: mismatch(key), error }
}

function mismatch({ index, path }: PlacedBlock): string {
  return `key at index ${index} in ${path} does not match next certificate`
}

function pairFault(key: PlacedBlock, certificate: PlacedBlock): ChainFault | undefined {
  try {
    if (isPair(key.text, certificate.text)) return undefined
    const error = new Error('error:0A000120:SSL routines::private key mismatch:')
    return { text: mismatch(key), error }
  } catch (error) {
    return { text: `error loading chain from ${key.path}: malformed key or certificate`, error }
  }
}

/** The older parameters, with files of their own for certificate and key. */
async function readPair(
  type: string,
  certFile: string,
  keyFile: string,
): Promise<Identity[] | undefined> {
  const noCertificate = `cannot get ${type} certificate from file "${certFile}": disabling TLS support`
  const noKey = `cannot get ${type} private key from file "${keyFile}": disabling TLS support`
  const certificates = (await readPart(certFile, noCertificate))?.filter(isCertificate)
  if (certificates === undefined) return undefined
  const leaf = certificates[0]
  if (leaf === undefined) return refuse(noCertificate, new Error(NO_START_LINE))
  const keys = await readPart(keyFile, noKey)
  if (keys === undefined) return undefined
  const key = keys.find(isKey)
  if (key === undefined) return refuse(noKey, new Error(NO_START_LINE))
  let kinds: (string | undefined)[]
  try {
    const leafKey = new X509Certificate(leaf.text).publicKey
    kinds = [leafKey.asymmetricKeyType, createPrivateKey(key.text).asymmetricKeyType]
  } catch (error) {
    return refuse(isReadable(leaf) ? noKey : noCertificate, error)
  }
  if (!isPair(key.text, leaf.text)) {
    if (kinds[0] === kinds[1]) {
      const text = 'error:05800074:x509 certificate routines::key values mismatch:'
      return refuse(noKey, new Error(text))
    }
    return refuse(
      `${type} private key in ${keyFile} does not match public key in ${certFile}: disabling TLS support`,
    )
  }
  return [{ key: key.text, chain: certificates.map(({ text }) => text).join('') }]
}

const NO_START_LINE = 'error:0480006C:PEM routines::no start line:'

function isReadable(certificate: PemBlock): boolean {
  try {
    return new X509Certificate(certificate.text).raw.length > 0
  } catch {
    return false
  }
}

async function readPart(path: string, complaint: string): Promise<PemBlock[] | undefined> {
  try {
    return splitPem(await readFile(path, 'latin1'))
  } catch (error) {
    log.warning(complaint)
    logOpenProblem(path, error)
    return undefined
  }
}

/** @throws {Error} as OpenSSL words it */
function isPair(key: string, certificate: string): boolean {
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
}

function refuse(text: string, error?: unknown): Identity[] | undefined {
  log.warning(text)
  logLibraryProblems(error)
  return undefined
}
