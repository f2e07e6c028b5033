/** Image files for templates: PNG and JPEG of the template directory. */
import { open, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errorWithoutPath } from '../../platform/file-errors.ts'
import { EvaluationError } from '../types.ts'

export interface ImageSize {
  /** Pixels. */
  readonly width: number
  readonly height: number
}

const MOST_BYTES = 5 * 1024 * 1024

/** Reads an image. Rejects with an `EvaluationError` when it is missing, too large or outside of the directory. */
export async function readTemplateImage(directory: string, file: string): Promise<Uint8Array> {
  if (file !== basename(file) || /[\\/:]/.test(file))
    throw new EvaluationError(`${file} has to be a name without folder`)
  try {
    const root = await realpath(directory)
    const path = await realpath(join(root, file))
    if (dirname(path) !== root) throw new EvaluationError(`${file} leads out of the template directory`)
    await using handle = await open(path)
    const { size } = await handle.stat()
    if (size > MOST_BYTES) throw new EvaluationError(`${file} is larger than 5 MB`)
    return new Uint8Array(await handle.readFile())
  } catch (error) {
    if (error instanceof EvaluationError) throw error
    throw new EvaluationError(`${file} cannot be read: ${errorWithoutPath(error)}`, { cause: error })
  }
}

/** Format and size of an image by its first bytes; null when it is neither PNG nor JPEG. */
export function imageSize(bytes: Uint8Array): (ImageSize & { readonly extension: 'png' | 'jpeg' }) | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isPng = bytes.length >= 24 && view.getUint32(0) === 0x89504e47 && view.getUint32(12) === 0x49484452
  const size = isPng ? { width: view.getUint32(16), height: view.getUint32(20) } : jpegSize(view)
  return size && size.width > 0 && size.height > 0 ? { ...size, extension: isPng ? 'png' : 'jpeg' } : null
}

/** The size stands in the segment that begins the frame: SOF0 to SOF15, without DHT, JPG and DAC. */
function jpegSize(view: DataView): ImageSize | null {
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return null
  for (let at = 2; at + 9 <= view.byteLength && view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1)
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
    }
  }
  return null
}
