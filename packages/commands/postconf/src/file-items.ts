/**
 * file-items - main.cf and master.cf as the lines that they are, for editing: what is not edited keeps its octets
 *
 * An entry is a line that starts in the first column, and the lines that continue it. Comments and empty lines between
 * them are part of it; those behind the last of them are not.
 */
import { isSpaceCode } from '@posthorn/config/logical-lines'

export interface FileEntry {
  readonly kind: 'entry'
  readonly lines: readonly { readonly text: string; readonly isComment: boolean }[]
  /** Its lines joined, without comments and line feeds. */
  readonly text: string
  /** First physical line, counted from 1. */
  readonly first: number
}

/** An entry, or a line that belongs to none: a comment, an empty line, a continuation of nothing. */
export type FileItem = FileEntry | { readonly kind: 'other'; readonly text: string }

type Line = FileEntry['lines'][number]

export function readFileItems(source: string): FileItem[] {
  const items: FileItem[] = []
  let lines: Line[] = []
  /** Comments of which nobody knows yet whether a continuation follows. */
  let comments: Line[] = []
  let first = 0
  const finish = (): void => {
    if (lines.length > 0) items.push(entryOf(lines, first))
    items.push(...comments.map(({ text }) => ({ kind: 'other' as const, text })))
    lines = []
    comments = []
  }
  for (const [at, text] of (source.match(/[^\n]*\n|[^\n]+$/g) ?? []).entries()) {
    if (/^[ \t\r\f\v]*(?:#|\n|$)/.test(text)) {
      comments.push({ text, isComment: true })
    } else if (lines.length > 0 && isSpaceCode(text.charCodeAt(0))) {
      lines.push(...comments, { text, isComment: false })
      comments = []
    } else {
      finish()
      if (isSpaceCode(text.charCodeAt(0))) {
        items.push({ kind: 'other', text })
      } else {
        lines = [{ text, isComment: false }]
        first = at + 1
      }
    }
  }
  finish()
  return items
}

function entryOf(lines: readonly Line[], first: number): FileEntry {
  const text = lines.map((line) => (line.isComment ? '' : line.text.replace(/\n$/, ''))).join('')
  return { kind: 'entry', lines, text, first }
}

/** The comments inside an entry. */
export function commentsOf(entry: FileEntry): string {
  return entry.lines.map((line) => (line.isComment ? line.text : '')).join('')
}

/** The entry as it stands in the file. */
export function sourceOf(entry: FileEntry): string {
  return entry.lines.map((line) => line.text).join('')
}

/** The entry as a comment. */
export function commentedOut(entry: FileEntry): string {
  return entry.lines.map((line) => (line.isComment ? line.text : `#${line.text}`)).join('')
}
