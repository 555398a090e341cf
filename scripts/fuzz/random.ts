/**
 * random - numbers that look random and depend on a seed and the number of an input alone
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, a few additions for 32 bits.
 */
export class Random {
  #a: number
  #b: number
  #c = 0x9e3779b9
  #counter = 1

  constructor(seed: number, index: number) {
    this.#a = seed | 0
    this.#b = index | 0
    for (let round = 0; round < 12; round++) this.bits()
  }

  /** 32 of them, as a number from 0. */
  bits(): number {
    const result = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result
    this.#c |= 0
    return result >>> 0
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.bits() / 0x1_0000_0000) * limit)
  }

  chance(probability: number): boolean {
    return this.bits() < probability * 0x1_0000_0000
  }

  /** @throws {RangeError} the list is empty */
  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)]
    if (found === undefined) throw new RangeError('Cannot pick from an empty list')
    return found
  }

  octet(): string {
    return String.fromCharCode(this.below(256))
  }
}
