/**
 * pem - the blocks of a PEM file: RFC 7468
 */

export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, `EC PARAMETERS`, ... */
  readonly label: string
  /** With its BEGIN and END lines. */
  readonly text: string
  readonly der: Buffer
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([^-]*)-----END \1-----/g

/** Text between blocks is explanatory and left out; so is a block without an end. */
export function splitPem(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([block, label = '', body = '']) => ({
    label,
    text: `${block}\n`,
    // headers of encrypted keys (RFC 1421) make no sense as base64, and nobody asks for it
    der: Buffer.from(body, 'base64'),
  }))
}
