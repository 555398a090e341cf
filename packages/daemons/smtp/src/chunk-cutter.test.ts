import fc from 'fast-check'
import t from 'tap'
import { cutChunks, type Chunk } from './chunk-cutter.ts'

async function cut(pieces: readonly string[], size: number): Promise<Chunk[]> {
  const feed = async function* (): AsyncGenerator<string> {
    for (const piece of pieces) yield Promise.resolve(piece)
  }
  const chunks: Chunk[] = []
  for await (const chunk of cutChunks(feed(), size)) chunks.push(chunk)
  return chunks
}

t.test('cutChunks() says which is the last one', async (t) => {
  t.same(await cut([], 4), [{ octets: '', isLast: true }])
  t.same(await cut(['abcd'], 4), [{ octets: 'abcd', isLast: true }])
  t.same(await cut(['ab', 'cdefghi'], 4), [
    { octets: 'abcd', isLast: false },
    { octets: 'efgh', isLast: false },
    { octets: 'i', isLast: true },
  ])
})

t.test('cutChunks() keeps every octet, however it is fed', async (t) => {
  const property = fc.asyncProperty(
    fc.array(fc.string()),
    fc.integer({ min: 1, max: 9 }),
    async (pieces, size) => {
      const chunks = await cut(pieces, size)
      const last = chunks.pop()
      return (
        last?.isLast === true &&
        last.octets.length <= size &&
        chunks.every((chunk) => !chunk.isLast && chunk.octets.length === size) &&
        [...chunks, last].map((chunk) => chunk.octets).join('') === pieces.join('')
      )
    },
  )
  await t.resolves(fc.assert(property))
})
