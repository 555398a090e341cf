/**
 * chunk-cutter - text in chunks of one size; the last one is smaller, or as large, and says that it is the last
 *
 * Only empty text has an empty chunk. Holds one chunk and one piece of what it is fed.
 */
export interface Chunk {
  readonly octets: string
  readonly isLast: boolean
}

export async function* cutChunks(
  pieces: AsyncIterable<string>,
  sizeOctets: number,
): AsyncGenerator<Chunk, void, undefined> {
  let held = ''
  for await (const piece of pieces) {
    held += piece
    let at = 0
    // what may be the last octets waits for more
    for (; held.length - at > sizeOctets; at += sizeOctets) {
      yield { octets: held.slice(at, at + sizeOctets), isLast: false }
    }
    held = held.slice(at)
  }
  yield { octets: held, isLast: true }
}
