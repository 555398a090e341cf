/**
 * attr-schema - one definition of an attribute list gives its type, its encoder and its parser
 *
 *     const AppendRequest = defineRequest(0, { flags: int('flags'), queueId: text('queue_id') }, 'nrequest')
 *     AppendRequest.encode({ flags: 0, queueId })     // octets of the list, in the NUL encoding
 *     AppendRequest.parse(attrs)                      // { request: 0, flags, queueId }, or throws AttrError
 *
 * Attributes are positional: the sender writes exactly those declared, in order; the receiver wants them in the
 * same order. Names may repeat. A receiver that is told to `skip` unknown attributes passes over them, as some
 * services of Postfix do; the others `refuse` them. No receiver accepts a list that lacks an attribute.
 */
import type { Attr, AttrList } from './attr-list.ts'
import { refuseDelimiter } from './attr-list.ts'
import { formatInt, formatLong, parseInt32, parseLong } from './attr-number.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { AttrError } from './wire-error.ts'

/** What a receiver does with attributes that it does not want. */
export type Extras = 'refuse' | 'skip'

/** Walks a list in order. */
export class AttrReader {
  readonly #attrs: AttrList
  readonly #extras: Extras
  #at = 0

  constructor(attrs: AttrList, extras: Extras) {
    this.#attrs = attrs
    this.#extras = extras
  }

  /** The value of the next attribute. @throws {AttrError} unless that has this name */
  next(name: string): string {
    for (;;) {
      const attr = this.#attrs[this.#at]
      if (attr === undefined)
        throw new AttrError(`Cannot find attribute ${name}: the list has ended`)
      this.#at += 1
      if (attr[0] === name) return attr[1]
      if (this.#extras === 'refuse') {
        throw new AttrError(`Cannot find attribute ${name}: found ${attr[0].slice(0, 40)} instead`)
      }
    }
  }

  /** Is there another attribute, and is it this one? */
  isNext(name: string): boolean {
    return this.#attrs[this.#at]?.[0] === name
  }

  /** @throws {AttrError} when attributes are left that nobody wants */
  end(): void {
    const extra = this.#attrs[this.#at]
    if (extra !== undefined && this.#extras === 'refuse') {
      throw new AttrError(
        `Cannot parse list: unexpected attribute ${extra[0].slice(0, 40)} at its end`,
      )
    }
  }
}

/** One or more attributes that carry one value. */
export interface Field<T> {
  /** the octets in the NUL encoding */
  readonly encode: (value: T) => string
  /** the attributes, for other encodings */
  readonly format: (value: T, into: Attr[]) => void
  readonly parse: (reader: AttrReader) => T
}

interface AnyField {
  readonly encode: (value: never) => string
  readonly format: (value: never, into: Attr[]) => void
  readonly parse: (reader: AttrReader) => unknown
}

export type Fields = Readonly<Record<string, AnyField>>
export type ValueOf<F extends Fields> = { readonly [K in keyof F]: ReturnType<F[K]['parse']> }

/** A field of a single attribute; `parseText` throws AttrError. */
export function simple<T>(
  name: string,
  formatText: (value: T) => string,
  parseText: (text: string, name: string) => T,
): Field<T> {
  const prefix = `${name}\0`
  return {
    encode: (value) => `${prefix}${formatText(value)}\0`,
    format: (value, into) => {
      into.push([name, formatText(value)])
    },
    parse: (reader) => parseText(reader.next(name), name),
  }
}

/** A string; absent ones travel as the empty string. */
export function text(name: string): Field<string> {
  const prefix = `${name}\0`
  return {
    encode: (value) => {
      refuseDelimiter(value, '\0', name)
      return `${prefix}${value}\0`
    },
    format: (value, into) => {
      into.push([name, value])
    },
    parse: (reader) => reader.next(name),
  }
}

/** A signed 32-bit number. */
export function int(name: string): Field<number> {
  return simple(name, formatInt, parseInt32)
}

/** A signed 64-bit number within the safe integers. */
export function long(name: string): Field<number> {
  return simple(name, formatLong, parseLong)
}

/** Octets in base64. */
export function data(name: string): Field<string> {
  return simple(name, encodeBase64, decodeBase64)
}

/** Attributes that belong together, without framing of their own, as one member. */
export function group<F extends Fields>(fields: F): Field<ValueOf<F>> {
  const entries = Object.entries(fields)
  return {
    encode: (value) => encodeFields(entries, value),
    format: (value, into) => {
      for (const [key, field] of entries) field.format(value[key] as never, into)
    },
    parse: (reader) => parseFields(entries, reader, {}) as ValueOf<F>,
  }
}

function encodeFields(
  entries: [string, AnyField][],
  value: Readonly<Record<string, unknown>>,
): string {
  let octets = ''
  for (const [key, field] of entries) octets += field.encode(value[key] as never)
  return octets
}

function parseFields(
  entries: [string, AnyField][],
  reader: AttrReader,
  into: Record<string, unknown>,
): unknown {
  for (const [key, field] of entries) into[key] = field.parse(reader)
  return into
}

export interface ListDefinition<V> {
  /** the octets of the list in the NUL encoding, terminator included */
  readonly encode: (value: V) => string
  /** the attributes of the list, for other encodings */
  readonly format: (value: V) => AttrList
  /** @throws {AttrError} unless the list is as declared */
  readonly parse: (attrs: AttrList, extras?: Extras) => V
}

export function defineList<F extends Fields>(fields: F): ListDefinition<ValueOf<F>> {
  const entries = Object.entries(fields)
  return {
    encode: (value) => `${encodeFields(entries, value)}\0`,
    format: (value) => {
      const attrs: Attr[] = []
      for (const [key, field] of entries) field.format(value[key] as never, attrs)
      return attrs
    },
    parse: (attrs, extras = 'refuse') => {
      const reader = new AttrReader(attrs, extras)
      const value = parseFields(entries, reader, {}) as ValueOf<F>
      reader.end()
      return value
    },
  }
}

export interface RequestDefinition<K extends string | number, V> {
  /** the value of the first attribute, which tells requests of a service apart */
  readonly request: K
  readonly encode: (value: V) => string
  readonly format: (value: V) => AttrList
  readonly parse: (attrs: AttrList, extras?: Extras) => V & { readonly request: K }
}

/** The type of the values that a request's parser returns. */
export type RequestOf<D> =
  D extends RequestDefinition<infer K, infer V> ? V & { readonly request: K } : never

/** A list whose first attribute, `name`, has the fixed value `kind`. */
export function defineRequest<const K extends string | number, F extends Fields>(
  kind: K,
  fields: F,
  name = 'request',
): RequestDefinition<K, ValueOf<F>> {
  const entries = Object.entries(fields)
  const wanted = String(kind)
  const prefix = `${name}\0${wanted}\0`
  return {
    request: kind,
    encode: (value) => `${prefix}${encodeFields(entries, value)}\0`,
    format: (value) => {
      const attrs: Attr[] = [[name, wanted]]
      for (const [key, field] of entries) field.format(value[key] as never, attrs)
      return attrs
    },
    parse: (attrs, extras = 'refuse') => {
      const reader = new AttrReader(attrs, extras)
      const found = reader.next(name)
      if (found !== wanted) {
        throw new AttrError(`Cannot parse ${name} "${found.slice(0, 40)}": want ${wanted}`)
      }
      const into: Record<string, unknown> = { request: kind }
      const value = parseFields(entries, reader, into) as ValueOf<F> & { readonly request: K }
      reader.end()
      return value
    },
  }
}

/** The value of the first attribute called `name`, to choose a request by; undefined when it is not first. */
export function requestName(attrs: AttrList, name = 'request'): string | undefined {
  const first = attrs[0]
  return first?.[0] === name ? first[1] : undefined
}
