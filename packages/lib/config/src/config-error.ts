/**
 * config-error - the configuration is wrong
 *
 * Ends the program: one `fatal:` line with the message, exit status 1 (Postfix 3.7 sleeps a second before).
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'POSTHORN_CONFIG'
  /** Lines to log as warnings before the fatal one: they say what exactly is wrong. */
  readonly warnings: readonly string[]

  constructor(message: string, options: ErrorOptions & { warnings?: readonly string[] } = {}) {
    super(message, options)
    this.warnings = options.warnings ?? []
  }
}
