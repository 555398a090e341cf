import t from 'tap'
import { parseTicketKey, TicketKeys } from './ticket-keys.ts'

const LIFE_SECONDS = 3600

/** As tlsmgr(8) sends it. */
function keyNamed(letter: string, endsInSeconds: number): string {
  const end = Buffer.alloc(8)
  end.writeBigInt64LE(BigInt(Math.floor(Date.now() / 1000) + endsInSeconds))
  return letter.repeat(16) + 'a'.repeat(32) + 'h'.repeat(32) + end.toString('latin1')
}

/** What is asked for, and the answers by name. */
function source(keys: Record<string, string>) {
  const asked: string[] = []
  const ticketKey = async (name: string): Promise<string | undefined> => {
    asked.push(name)
    return Promise.resolve(keys[name])
  }
  return { asked, ticketKey }
}

t.test('parseTicketKey() takes the form of tlsmgr(8) only', (t) => {
  const key = parseTicketKey(keyNamed('k', 100))
  t.equal(key?.name, 'k'.repeat(16))
  t.equal(key?.octets.toString('latin1'), 'k'.repeat(16) + 'h'.repeat(16) + 'a'.repeat(16))
  t.ok(Math.abs((key?.expiresAtSeconds ?? 0) - Date.now() / 1000 - 100) < 5)
  t.equal(parseTicketKey(''), undefined)
  t.equal(parseTicketKey('x'.repeat(80)), undefined)
  t.end()
})

t.test('find() asks once for the current key, until its end', async (t) => {
  const { asked, ticketKey } = source({ '': keyNamed('k', 100) })
  const keys = new TicketKeys({ ticketKey }, LIFE_SECONDS)
  const names = await Promise.all([keys.find(''), keys.find(''), keys.find('short')])
  t.same(
    names.map((key) => key?.name),
    ['k', 'k', 'k'].map((letter) => letter.repeat(16)),
  )
  await keys.find('')
  t.same(asked, [''])
})

t.test('find() has another key when the time of one is over, and knows the old one', async (t) => {
  const answers: Record<string, string> = { '': keyNamed('o', -1) }
  const { asked, ticketKey } = source(answers)
  const keys = new TicketKeys({ ticketKey }, LIFE_SECONDS)
  await keys.find('')
  answers[''] = keyNamed('n', 1800)
  t.equal((await keys.find(''))?.name, 'n'.repeat(16))
  t.equal((await keys.find(`${'o'.repeat(16)}ticket`))?.name, 'o'.repeat(16))
  t.same(asked, ['', ''])
})

t.test(
  'find() asks for a key that another process knows; else the current one will do',
  async (t) => {
    const old = 'o'.repeat(16)
    const { asked, ticketKey } = source({ '': keyNamed('n', 1800), [old]: keyNamed('o', -10) })
    const keys = new TicketKeys({ ticketKey }, LIFE_SECONDS)
    t.equal((await keys.find(`${old}ticket`))?.name, old)
    t.equal((await keys.find(`${'?'.repeat(16)}ticket`))?.name, 'n'.repeat(16))
    t.same(asked, [old, '?'.repeat(16), ''])
  },
)

t.test('find() does without, and forgets keys that are of no more use', async (t) => {
  const none = new TicketKeys({ ticketKey: async () => Promise.resolve(undefined) }, LIFE_SECONDS)
  t.equal(await none.find(''), undefined)
  const dead = 'd'.repeat(16)
  const { ticketKey, asked } = source({ '': keyNamed('n', 10), [dead]: keyNamed('d', -1801) })
  const keys = new TicketKeys({ ticketKey }, LIFE_SECONDS)
  await keys.find(dead)
  await keys.find(dead)
  t.same(asked, [dead, dead], 'it was not kept')
})
