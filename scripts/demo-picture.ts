/**
 * Writes docs/images/demo.svg: the first lines of `dist/footman demo` as a terminal shows them, up to the first mail and
 * the beginning of its script log. `npm run build` first.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'

const root = join(import.meta.dirname, '..')
const executable = join(root, 'dist', process.platform === 'win32' ? 'footman.exe' : 'footman')
const target = join(root, 'docs', 'images', 'demo.svg')

const COLUMNS = 100
const SECONDS = 6
/** Blank lines included. */
const MAX_LINES = 64
const MAX_BYTES = 60_000

interface Look {
  readonly colour: string
  readonly bold: boolean
  readonly dim: boolean
}

interface Span extends Look {
  readonly text: string
}

const DEFAULT: Look = { colour: '#d8dee9', bold: false, dim: false }
const COLOURS: Readonly<Record<number, string>> = { 31: '#f07178', 32: '#9ccc78', 33: '#e6b450', 36: '#6cc7d9' }
const DIM_COLOUR = '#8c97a7'
const BACKGROUND = '#12161d'
const FRAME = '#2a313c'
const FONT = "ui-monospace,SFMono-Regular,'Cascadia Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"
const FONT_SIZE = 13
const CHARACTER_WIDTH = 7.8
const LINE_HEIGHT = 18
const PADDING = 18
const BAR = 30

const lines = (await capture()).split('\n')
if (!lines.some((line) => line.includes('end of the mail'))) throw new Error('the demo has shown no mail')
const svg = render(trimmed(lines).slice(0, MAX_LINES))
if (svg.length > MAX_BYTES) throw new Error(`${target} would have ${svg.length} bytes, more than ${MAX_BYTES}`)
mkdirSync(dirname(target), { recursive: true })
writeFileSync(target, svg)
console.log(`${target}  ${svg.length} bytes`)

async function capture(): Promise<string> {
  const child = spawn(executable, ['demo', '--duration', String(SECONDS)], {
    env: { ...process.env, FORCE_COLOR: '1', NO_COLOR: '', COLUMNS: String(COLUMNS) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${executable} demo ended with exit code ${code}`)
  return output
}

function trimmed(all: readonly string[]): readonly string[] {
  const first = all.findIndex((line) => line !== '')
  const last = all.findLastIndex((line) => line !== '')
  return all.slice(first, last + 1)
}

function render(shown: readonly string[]): string {
  const width = Math.round(COLUMNS * CHARACTER_WIDTH + 2 * PADDING)
  const height = BAR + shown.length * LINE_HEIGHT + PADDING
  const texts = shown.flatMap((line, row) => textElement(line, BAR + (row + 1) * LINE_HEIGHT - 4))
  const lights = ['#f07178', '#e6b450', '#9ccc78'].map(
    (fill, index) => `<circle cx="${PADDING + 6 + index * 18}" cy="${BAR / 2 + 2}" r="5" fill="${fill}"/>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="footman demo in a terminal">`,
    `<style>text{font:${FONT_SIZE}px ${FONT};fill:${DEFAULT.colour};white-space:pre}</style>`,
    `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="9" fill="${BACKGROUND}" stroke="${FRAME}"/>`,
    ...lights,
    ...texts,
    '</svg>',
    '',
  ].join('\n')
}

/** Every piece has its own column, so that columns stay aligned in any font. */
function textElement(line: string, y: number): string[] {
  let column = 0
  const pieces: string[] = []
  for (const span of spansOf(line)) {
    for (const piece of span.text.matchAll(/\S+(?: \S+)*/g)) {
      const x = PADDING + (column + [...span.text.slice(0, piece.index)].length) * CHARACTER_WIDTH
      const length = [...piece[0]].length * CHARACTER_WIDTH
      pieces.push(`<tspan x="${round(x)}" textLength="${round(length)}"${look(span)}>${escaped(piece[0])}</tspan>`)
    }
    column += [...span.text].length
  }
  return pieces.length === 0 ? [] : [`<text y="${y}">${pieces.join('')}</text>`]
}

function look({ colour, bold, dim }: Look): string {
  const fill = dim && colour === DEFAULT.colour ? DIM_COLOUR : colour
  return `${fill === DEFAULT.colour ? '' : ` fill="${fill}"`}${bold ? ' font-weight="600"' : ''}`
}

/** Text with the colour codes that the demo uses: escape, bracket, number, `m`. */
function spansOf(line: string): readonly Span[] {
  const [before = '', ...parts] = line.split('\u001b[')
  const spans: Span[] = [{ ...DEFAULT, text: before }]
  let current = DEFAULT
  for (const part of parts) {
    const end = part.indexOf('m')
    current = changed(current, Number(part.slice(0, end)))
    spans.push({ ...current, text: part.slice(end + 1) })
  }
  return spans
}

function changed(look: Look, code: number): Look {
  if (code === 1) return { ...look, bold: true }
  if (code === 2) return { ...look, dim: true }
  if (code === 22) return { ...look, bold: false, dim: false }
  return { ...look, colour: COLOURS[code] ?? DEFAULT.colour }
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
