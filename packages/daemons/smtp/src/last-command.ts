/**
 * last-command - the command that ends a transaction, and QUIT when the connection is not kept
 *
 * Whether it is kept is decided just before; when it is not, QUIT goes with the command where the server has PIPELINING.
 * Source: Postfix 3.7 smtp(8).
 */
import { isPositive, type Dialogue } from './dialogue.ts'
import { FEATURES } from './features.ts'

/**
 * `say` queues the command, after the replies that must be read first. Afterwards all replies have been read.
 * @throws what reading replies throws
 */
export async function sayLast(dialogue: Dialogue, say: () => Promise<void>): Promise<void> {
  const { session, pipeline } = dialogue
  if (session.isExpired) session.spend()
  await say()
  if (session.fate === 'cacheable') {
    await pipeline.drain()
    return
  }
  if (!session.has(FEATURES.pipelining)) await pipeline.drain()
  session.send('QUIT')
  await pipeline.drain()
  await awaitQuitReply(dialogue)
}

/** The transaction is undone (RFC 5321 4.1.1.5). @throws what reading replies throws */
export async function sayReset(dialogue: Dialogue): Promise<void> {
  const { session, pipeline, options } = dialogue
  await sayLast(dialogue, async () => {
    await pipeline.makeRoom('RSET')
    pipeline.send('RSET', {
      stage: 'sending final RSET',
      timeoutMs: options.timeouts.rsetMs,
      take: (reply) => {
        if (!isPositive(reply)) session.spend()
      },
    })
  })
}

async function awaitQuitReply({ session, options }: Dialogue): Promise<void> {
  session.isBroken = true // nothing more is said
  if (options.skipsQuitReply) {
    await session.stream.flush().catch(() => undefined)
    return
  }
  session.begin('sending QUIT', options.timeouts.quitMs)
  await session.readReply().catch(() => undefined)
}
