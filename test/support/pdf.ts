/** PDF files as the tools of Poppler and qpdf read them. */
import { spawnSync } from 'node:child_process'
import { program } from './servers.ts'

/** pdfinfo, pdffonts and pdfimages come with pdftotext. */
function run(tool: string, args: readonly string[]): { readonly code: number | null; readonly output: string } {
  program(tool === 'qpdf' ? 'qpdf' : 'pdftotext')
  const { status, stdout, stderr } = spawnSync(tool, args, {
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 256 * 1024 * 1024,
  })
  return { code: status, output: `${stdout}${stderr}` }
}

/** Text of each page, laid out as on paper. */
export function pdfPages(file: string): readonly string[] {
  const { code, output } = run('pdftotext', ['-layout', file, '-'])
  if (code !== 0) throw new Error(output)
  return output.split('\f').slice(0, -1)
}

/** `Pages`, `Page size`, `CreationDate`, ... of pdfinfo. */
export function pdfInfo(file: string): Readonly<Record<string, string>> {
  const { code, output } = run('pdfinfo', [file])
  if (code !== 0) throw new Error(output)
  return Object.fromEntries(output.split('\n').map((line) => line.split(/:\s+(.*)/s).slice(0, 2) as [string, string]))
}

/** Faults of the file; empty = none. */
export function pdfFaults(file: string, password = ''): string {
  const { code, output } = run('qpdf', [`--password=${password}`, '--check', file])
  return code === 0 ? '' : output
}

export const pdfEncryption = (file: string, password: string): string =>
  run('qpdf', [`--password=${password}`, '--show-encryption', file]).output

/** Lines of `pdffonts` without its header. */
export const pdfFonts = (file: string): readonly string[] =>
  run('pdffonts', [file])
    .output.split('\n')
    .slice(2)
    .filter((line) => line !== '')

/** Lines of `pdfimages -list` without its header. */
export const pdfImages = (file: string): readonly string[] =>
  run('pdfimages', ['-list', file])
    .output.split('\n')
    .slice(2)
    .filter((line) => line !== '')

/** The objects of the file, decompressed. */
export const pdfObjects = (file: string): string => run('qpdf', ['--qdf', '--object-streams=disable', file, '-']).output

/** The words of the first page, line by line, each line from left to right as it lies on paper. */
export function pdfWords(file: string): readonly string[] {
  const { code, output } = run('pdftotext', ['-bbox', '-l', '1', file, '-'])
  if (code !== 0) throw new Error(output)
  const words = [...output.matchAll(/<word xMin="([\d.]+)" yMin="([\d.]+)"[^>]*>([^<]*)</g)]
  return (
    words
      .map(([, x, y, word]) => ({ x: Number(x), line: Math.round(Number(y)), word: word ?? '' }))
      .sort((a, b) => a.line - b.line || a.x - b.x)
      // Poppler leaves the letters of a word as they lie on paper, too; digits are read from left to right in all scripts.
      .map(({ word }) => (/(?=\p{L})[\p{scx=Hebr}\p{scx=Arab}]/u.test(word) ? [...word].reverse().join('') : word))
  )
}
