/**
 * ticket-keys.test - which key encrypts and which still decrypts, on a virtual clock
 */
import t from 'tap'
import { TicketKeys } from './ticket-keys.ts'

const startSeconds = 1_795_227_424
const lifeSeconds = 400

function newKeys() {
  const clock = { seconds: startSeconds }
  return { clock, keys: new TicketKeys(lifeSeconds, () => clock.seconds * 1000) }
}

function nameOf(key: string): string {
  return key.slice(0, 16)
}

function endOf(key: string): number {
  return Number(Buffer.from(key, 'latin1').readBigInt64LE(80))
}

t.test('a key has a name, two secrets and the end of its time', (t) => {
  const { keys } = newKeys()
  const key = keys.current()
  t.equal(key.length, 88)
  t.equal(endOf(key), startSeconds + lifeSeconds / 2)
  t.not(key.slice(16, 48), key.slice(48, 80))
  t.equal(keys.current(), key, 'it stays the same')
  t.equal(keys.find(nameOf(key)), key)
  t.equal(keys.find('0123456789abcdef'), undefined)
  t.equal(keys.find(''), undefined)
  t.equal(keys.find(key), undefined)
  t.end()
})

t.test('a key encrypts for half of a session life, and decrypts for the other half', (t) => {
  const { clock, keys } = newKeys()
  const first = keys.current()
  clock.seconds += 200
  t.equal(keys.current(), first)
  clock.seconds += 1
  const second = keys.current()
  t.not(second, first)
  t.equal(endOf(second), startSeconds + 401)
  t.equal(keys.find(nameOf(first)), first, 'tickets of its last moment are still good')
  clock.seconds = startSeconds + 400
  t.equal(keys.find(nameOf(first)), first)
  clock.seconds += 1
  t.equal(keys.find(nameOf(first)), undefined)
  t.equal(keys.find(nameOf(second)), second)
  clock.seconds += 1
  t.not(keys.current(), second)
  t.equal(keys.find(nameOf(second)), second)
  t.end()
})

t.test('after a long silence nothing is left', (t) => {
  const { clock, keys } = newKeys()
  const key = keys.current()
  clock.seconds += 10_000
  t.equal(keys.find(nameOf(key)), undefined)
  t.not(keys.current(), key)
  t.equal(keys.find(nameOf(key)), undefined)
  t.end()
})
