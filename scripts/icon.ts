/**
 * Makes scripts/build/footman.ico, the icon of the Windows executable, from the icon of the web pages. Needs Chromium; run it
 * when that icon has changed.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../test/support/browser.ts'

const SIZES = [16, 20, 24, 32, 40, 48, 64, 256]
const HEADER_BYTES = 6
const ENTRY_BYTES = 16
const root = join(import.meta.dirname, '..')

async function png(browser: Browser, svg: string, size: number): Promise<Buffer> {
  await using page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`)
  return await page.screenshot({ omitBackground: true })
}

/** An ICO file of PNG images, which Windows reads since Vista: header, one entry an image, the images. */
function ico(images: readonly { readonly size: number; readonly png: Buffer }[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES + ENTRY_BYTES * images.length)
  header.writeUInt16LE(1, 2)
  header.writeUInt16LE(images.length, 4)
  let offset = header.length
  for (const [index, { size, png }] of images.entries()) {
    const at = HEADER_BYTES + ENTRY_BYTES * index
    // 0 means 256.
    header.writeUInt8(size % 256, at)
    header.writeUInt8(size % 256, at + 1)
    header.writeUInt16LE(1, at + 4)
    header.writeUInt16LE(32, at + 6)
    header.writeUInt32LE(png.length, at + 8)
    header.writeUInt32LE(offset, at + 12)
    offset += png.length
  }
  return Buffer.concat([header, ...images.map(({ png }) => png)])
}

const svg = readFileSync(join(root, 'src', 'console', 'config-view', 'assets', 'icon.svg'), 'utf8')
await using browser = await startBrowser()
const images = []
for (const size of SIZES) images.push({ size, png: await png(browser, svg, size) })
const file = join(root, 'scripts', 'build', 'footman.ico')
writeFileSync(file, ico(images))
console.log(`${file}  ${SIZES.join(', ')} pixels`)
