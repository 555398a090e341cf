/**
 * table-error - what goes wrong with tables: when they are opened, and when a list that needs them is asked
 */

/**
 * A list cannot be evaluated, because a table in it cannot be asked, or its pattern makes no sense. Whoever asked must
 * defer: neither yes nor no is known.
 */
export class TableUnavailableError extends Error {
  override readonly name = 'TableUnavailableError'
  readonly code = 'POSTHORN_TABLE_UNAVAILABLE'
}

/** An opener's complaint; the table becomes one that is unavailable. */
export class TableOpenError extends Error {
  readonly code = 'POSTHORN_TABLE_OPEN'
}
