/** What may be shown of an address that is a secret, and which lane its deliveries take. */

/** `host:port`. */
export function hostOfAddress(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '(not a valid address)'
}

/** One lane per server, so that a dead one holds up nobody else. */
export function laneOfAddress(destination: string, address: string): string {
  if (!URL.canParse(address)) return destination
  const { protocol, hostname, port } = new URL(address)
  return `${destination}:${protocol}//${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}
