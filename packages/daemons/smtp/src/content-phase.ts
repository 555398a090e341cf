/**
 * content-phase - how the text of a message gets to the server: after DATA, or in chunks (BDAT)
 *
 *     open    true: somebody is to have the text      false: nobody, and the transaction is to be undone (RSET)
 *     send    the text, what ends it, its replies, and the last words of the transaction
 *
 * Everybody who was accepted has a fate when send() is over. Both throw what reading replies throws.
 */
export interface ContentPhase {
  open: () => Promise<boolean>
  send: () => Promise<void>
}
