/**
 * table-endpoint - `host:port` of a table server
 */

export interface TableEndpoint {
  readonly host: string
  readonly port: number
}

/** `host:port`, `[address]:port`; undefined for anything else. Port names are not known here. */
export function parseEndpoint(text: string): TableEndpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port < 1 || port > 65_535) return undefined
  return { host: match[1] ?? match[2] ?? '', port }
}
