/** Reads the resources of a Windows executable, by the PE/COFF specification and VS_VERSIONINFO alone. */

const RESOURCE_DIRECTORY = 2
const CERTIFICATE_DIRECTORY = 4
const SUBDIRECTORY = 0x80000000
const [TYPE_ICON, TYPE_ICON_GROUP, TYPE_VERSION] = [3, 14, 16]

export interface ExecutableResources {
  /** The four numbers of the fixed part, as text. */
  readonly fileVersion: string
  readonly productVersion: string
  readonly strings: Readonly<Record<string, string>>
  /** Width in pixels and image of each icon of the first group. */
  readonly icons: readonly { readonly width: number; readonly image: Buffer }[]
  /** True where the header names a signature. */
  readonly signed: boolean
}

interface Leaf {
  readonly type: number
  readonly id: number
  readonly data: Buffer
}

export function readResources(file: Buffer): ExecutableResources {
  const header = file.readUInt32LE(0x3c)
  if (file.toString('latin1', header, header + 4) !== 'PE\0\0') throw new Error('this is no PE file')
  const optional = header + 24
  // Data directories follow the optional header: at 112 in PE32+ (magic 0x20b), at 96 in PE32.
  const directories = optional + (file.readUInt16LE(optional) === 0x20b ? 112 : 96)
  const directory = (index: number) => file.readUInt32LE(directories + 8 * index)
  const sections = optional + file.readUInt16LE(header + 20)
  const count = file.readUInt16LE(header + 6)

  function fileOffset(address: number): number {
    for (let index = 0; index < count; index++) {
      const at = sections + 40 * index
      const [size, start, offset] = [file.readUInt32LE(at + 16), file.readUInt32LE(at + 12), file.readUInt32LE(at + 20)]
      if (address >= start && address < start + size) return address - start + offset
    }
    throw new Error(`no section holds address ${address}`)
  }

  const base = fileOffset(directory(RESOURCE_DIRECTORY))
  const leaves: Leaf[] = []
  function walk(offset: number, path: readonly number[]): void {
    const at = base + offset
    const entries = file.readUInt16LE(at + 12) + file.readUInt16LE(at + 14)
    for (let index = 0; index < entries; index++) {
      const [id, to] = [file.readUInt32LE(at + 16 + 8 * index), file.readUInt32LE(at + 20 + 8 * index)]
      if (to >= SUBDIRECTORY) walk(to - SUBDIRECTORY, [...path, id])
      else leaves.push(leaf([...path, id], base + to))
    }
  }
  function leaf([type = -1, id = -1]: readonly number[], at: number): Leaf {
    const start = fileOffset(file.readUInt32LE(at))
    return { type, id, data: file.subarray(start, start + file.readUInt32LE(at + 4)) }
  }
  walk(0, [])

  const versions = leaves.filter(({ type }) => type === TYPE_VERSION)
  if (versions.length !== 1) throw new Error(`${versions.length} version resources instead of one`)
  return {
    ...readVersion(versions[0]!.data),
    icons: readIcons(leaves),
    signed: directory(CERTIFICATE_DIRECTORY) !== 0,
  }
}

function readIcons(leaves: readonly Leaf[]): ExecutableResources['icons'] {
  const groups = leaves.filter(({ type }) => type === TYPE_ICON_GROUP)
  const [group] = groups
  if (!group) return []
  return Array.from({ length: group.data.readUInt16LE(4) }, (_, index) => {
    const at = 6 + 14 * index
    const image = leaves.find(({ type, id }) => type === TYPE_ICON && id === group.data.readUInt16LE(at + 12))
    if (image?.data.length !== group.data.readUInt32LE(at + 8)) throw new Error(`icon ${index} has another size`)
    return { width: group.data.readUInt8(at) || 256, image: image.data }
  })
}

interface Block {
  readonly key: string
  readonly value: Buffer
  readonly children: readonly Block[]
}

const aligned = (offset: number): number => (offset + 3) & ~3

/** Length, value length and type in 16 bits each, the key, then value and children at multiples of four. */
function readBlock(data: Buffer, start: number): Block & { readonly end: number } {
  const end = start + data.readUInt16LE(start)
  const [valueLength, isText] = [data.readUInt16LE(start + 2), data.readUInt16LE(start + 4) === 1]
  let keyEnd = start + 6
  while (data.readUInt16LE(keyEnd) !== 0) keyEnd += 2
  const valueStart = aligned(keyEnd + 2)
  const valueEnd = valueStart + valueLength * (isText ? 2 : 1)
  const children: Block[] = []
  for (let at = aligned(valueEnd); at < end; ) {
    const child = readBlock(data, at)
    children.push(child)
    at = aligned(child.end)
  }
  return { key: data.toString('utf16le', start + 6, keyEnd), value: data.subarray(valueStart, valueEnd), children, end }
}

function readVersion(data: Buffer): Pick<ExecutableResources, 'fileVersion' | 'productVersion' | 'strings'> {
  const { value, children } = readBlock(data, 0)
  if (value.readUInt32LE(0) !== 0xfeef04bd) throw new Error('VS_FIXEDFILEINFO has another signature')
  const version = (at: number) => [at + 2, at, at + 6, at + 4].map((offset) => value.readUInt16LE(offset)).join('.')
  const table = children.find(({ key }) => key === 'StringFileInfo')?.children[0]
  const strings = (table?.children ?? []).map(({ key, value }) => [key, value.toString('utf16le').replace(/\0+$/, '')])
  return { fileVersion: version(8), productVersion: version(16), strings: Object.fromEntries(strings) }
}
