/**
 * format-entry - an entry of master.cf as postconf(1) writes it: columns, then arguments, folded on demand
 */
import { formatOverride, type MasterArgument, type MasterText } from './master-text.ts'

const LINE_LIMIT = 80
const INDENT = '    '
/** Where the second to eighth field start. */
const COLUMNS = [11, 17, 25, 33, 41, 49, 57]

/** Fields in columns, then the arguments, with a line feed. */
export function formatEntry(entry: MasterText, isFolded: boolean): string {
  let line = entry.fields[0] ?? ''
  for (const [at, column] of COLUMNS.entries()) {
    line = `${line.padEnd(column - 1)} ${entry.fields[at + 1] ?? ''}`
  }
  return formatArguments(line, entry.args, isFolded)
}

/** The arguments behind what is on the line already; folded, each option with a value has a line of its own. */
export function formatArguments(
  start: string,
  args: readonly MasterArgument[],
  isFolded: boolean,
): string {
  let line = start
  let output = ''
  let isAfterOption = false
  for (const arg of args) {
    const text = argumentText(arg)
    const hasValue = arg.kind === 'override' || (arg.kind === 'option' && text.includes(' '))
    const breaks =
      isFolded && (hasValue || isAfterOption || line.length + 1 + text.length >= LINE_LIMIT)
    if (breaks) {
      output += `${line}\n`
      line = `${INDENT}${text}`
    } else {
      line += ` ${text}`
    }
    isAfterOption = hasValue
  }
  return `${output}${line}\n`
}

function argumentText(arg: MasterArgument): string {
  return arg.kind === 'override' ? formatOverride(arg.name, arg.value) : arg.text
}
