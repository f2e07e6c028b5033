/** Names of what exists only while an operation runs. */

/** `tmp`: made by the operation, of no worth without it. `old`: was there before, and has stepped aside. */
export type TemporaryKind = 'tmp' | 'old'

const NAME = /^\.footman-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d+\.(tmp|old)$/

/** `id`: UUID of the operation. */
export const temporaryName = (id: string, number: number, kind: TemporaryKind): string =>
  `.footman-${id}-${number}.${kind}`

export const isTemporaryName = (name: string): boolean => NAME.test(name)

/** What a name of this operation is; null for all other names. */
export function temporaryKindOf(id: string, name: string): TemporaryKind | null {
  const [, owner, kind] = NAME.exec(name) ?? []
  return owner === id && (kind === 'tmp' || kind === 'old') ? kind : null
}
