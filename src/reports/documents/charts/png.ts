/** SVG to PNG by resvg, with our fonts: equal bytes on every platform. */
import { readAsset } from '../../../platform/assets.ts'
import { FONT_FAMILY, type FontSet } from '../fonts.ts'

/** The options of `svg` and `png` allow no more; a picture of 4000 x 4000 takes 64 MB while it is drawn. */
const MOST_PIXELS = 16_000_000

type Resvg = typeof import('@resvg/resvg-wasm')
let loaded: Promise<Resvg> | undefined

/** Starts the WebAssembly module; it can be started once in a process. */
function library(): Promise<Resvg> {
  loaded ??= (async () => {
    const [resvg, wasm] = await Promise.all([
      import('@resvg/resvg-wasm'),
      readAsset(
        () => import('@resvg/resvg-wasm/index_bg.wasm', { with: { type: 'file' } }),
        () => import.meta.resolve('@resvg/resvg-wasm/index_bg.wasm'),
      ),
    ])
    await resvg.initWasm(wasm as Uint8Array<ArrayBuffer>)
    return resvg
  })()
  return loaded
}

/** Texts of the picture. */
const TEXTS = />([^<]+)</g

/** `scale`: pixels of the picture for each pixel of the SVG. Throws a `RangeError` above 16 million pixels. */
export async function svgToPng(svg: string, scale: number, fonts: FontSet): Promise<Uint8Array> {
  const { Resvg } = await library()
  // Counts the characters that will be drawn as boxes.
  for (const [, text = ''] of svg.matchAll(TEXTS)) for (const char of text) fonts.fontFor(char)
  const drawing = new Resvg(svg, {
    background: '#ffffff',
    fitTo: { mode: 'zoom', value: scale },
    font: {
      fontBuffers: fonts.faces.map(({ bytes }) => bytes),
      defaultFontFamily: FONT_FAMILY,
      sansSerifFamily: FONT_FAMILY,
    },
  })
  try {
    if (drawing.width * drawing.height * scale ** 2 > MOST_PIXELS) {
      throw new RangeError(
        `a picture of ${drawing.width} x ${drawing.height} at ${scale} times is above 16 million pixels`,
      )
    }
    const picture = drawing.render()
    try {
      return picture.asPng()
    } finally {
      picture.free()
    }
  } finally {
    drawing.free()
  }
}
