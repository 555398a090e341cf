/**
 * key-fold - the letter case of keys
 */
import { foldCase, foldCaseUtf8 } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { KeyFold } from './memory-table.ts'

/** Unicode folding with smtputf8_enable, else ASCII; none when the table's user compares octets. */
export function foldFor(config: MainConfig, foldsCase: boolean): KeyFold {
  if (!foldsCase) return (key) => key
  return config.boolean('smtputf8_enable') ? foldCaseUtf8 : foldCase
}
