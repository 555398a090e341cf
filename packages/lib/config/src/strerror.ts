/**
 * strerror - the words of strerror(3) for the errors that files and directories give
 */
const texts = new Map([
  ['ENOENT', 'No such file or directory'],
  ['EACCES', 'Permission denied'],
  ['EPERM', 'Operation not permitted'],
  ['EISDIR', 'Is a directory'],
  ['ENOTDIR', 'Not a directory'],
  ['ELOOP', 'Too many levels of symbolic links'],
  ['ENAMETOOLONG', 'File name too long'],
  ['EIO', 'Input/output error'],
  ['EMFILE', 'Too many open files'],
  ['ENOSPC', 'No space left on device'],
])

/** As strerror(3) for a known error code, else the error's own message. */
export function strerror(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  return texts.get(code) ?? error.message
}
