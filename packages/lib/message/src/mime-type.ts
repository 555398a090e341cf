/**
 * mime-type - what Content-Type: and Content-Transfer-Encoding: say about a body
 *
 * Only what a mail system acts upon: is the body composite, what separates its parts, and which encoding is claimed. Values
 * that do not follow the grammar mean "nothing special", as for every reader of mail.
 *
 * Sources: RFC 2045 5.1 and 6.1, RFC 2046 5.1.
 */
export interface ContentType {
  /** In lower case; `text` when missing or malformed. */
  readonly type: string
  readonly subtype: string
  readonly boundary: string | undefined
}

export const TEXT_PLAIN: ContentType = { type: 'text', subtype: 'plain', boundary: undefined }
export const MESSAGE_RFC822: ContentType = {
  type: 'message',
  subtype: 'rfc822',
  boundary: undefined,
}

export type Encoding = '7bit' | '8bit' | 'binary' | 'quoted-printable' | 'base64' | 'other'

const start =
  /^[ \t\n]*([!-'*+\-.0-9A-Z^_`a-z{|}~]+)[ \t\n]*\/[ \t\n]*([!-'*+\-.0-9A-Z^_`a-z{|}~]+)/

/** @param value of a Content-Type header, physical lines separated by `\n` */
export function parseContentType(value: string): ContentType {
  const found = start.exec(value)
  if (found === null) return TEXT_PLAIN
  const type = (found[1] ?? '').toLowerCase()
  const boundary = type === 'multipart' ? boundaryOf(value.slice(found[0].length)) : undefined
  return { type, subtype: (found[2] ?? '').toLowerCase(), boundary }
}

const boundaryParameter =
  /(?:^|[;\s])boundary[ \t\n]*=[ \t\n]*(?:"((?:[^"\\]|\\[^])*)"?|([^\s;"()]+))/i

function boundaryOf(parameters: string): string | undefined {
  const found = boundaryParameter.exec(parameters)
  if (found === null) return undefined
  return found[1]?.replace(/\n/g, '').replace(/\\([^])/g, '$1') ?? found[2]
}

/** @param value of a Content-Transfer-Encoding header */
export function parseEncoding(value: string): Encoding {
  const word = /^[ \t\n]*([^ \t\n;(]*)/.exec(value)?.[1]?.toLowerCase()
  switch (word) {
    case '7bit':
    case '8bit':
    case 'binary':
    case 'quoted-printable':
    case 'base64':
      return word
    default:
      return 'other'
  }
}
