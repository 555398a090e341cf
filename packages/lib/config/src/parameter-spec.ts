/**
 * parameter-spec - what the registry says about a parameter
 */

export interface ParameterSpec {
  /** Unexpanded, as `postconf -d` prints it; without meaning when isComputed. */
  readonly default: string
  /** Lower bound, inclusive: of the length in octets for text, in seconds for times. */
  readonly min?: number
  readonly max?: number
  /** The Postfix release that introduced it, where that is later than 3.7. */
  readonly since?: string
  /** The default comes from the system: host name, networks, process. */
  readonly isComputed?: true
  /** Set by the program; a value in main.cf is ignored. */
  readonly isReadOnly?: true
}

export interface IntegerSpec extends ParameterSpec {
  /** 64 bits instead of 32. */
  readonly isLong?: true
}

export interface TimeSpec extends ParameterSpec {
  /** The unit of a value without one. */
  readonly unit: 's' | 'm' | 'h' | 'd' | 'w'
}

export interface KeywordSpec extends ParameterSpec {
  readonly values: readonly string[]
  /** Letter case matters. */
  readonly isExactCase?: true
  /** What Postfix says of another word; %n is the name, %v the value. Default: `unknown %n value: %v`. */
  readonly complaint?: string
  /** Of flags: any letter case, unknown words are ignored. */
  readonly isLenient?: true
}
