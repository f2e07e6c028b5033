/** Blocks of examples in README.md and docs/, and the commands in them. */
import { globSync } from 'node:fs'
import { readRepositoryFile, repositoryRoot } from './source.ts'

export interface Block {
  /** `docs/page.md:line` of the first line. */
  readonly place: string
  readonly page: string
  /** Word behind the fence; empty = none, or a block that is indented. */
  readonly language: string
  /** Without the indentation of the block. */
  readonly lines: readonly string[]
}

export interface DocCommand {
  readonly place: string
  readonly page: string
  /** The text on the page, from `footman` on. */
  readonly text: string
  /** Words behind `footman`, without quotes; redirections and what comes behind a pipe left out. */
  readonly args: readonly string[]
  /** Stands in running text: an abbreviation, where arguments may be missing. */
  readonly inText: boolean
}

export const docPages: readonly string[] = ['README.md', ...globSync('docs/**/*.md', { cwd: repositoryRoot })]
  .map((page) => page.replaceAll('\\', '/'))
  .sort()

export const blocksOf = (page: string): Block[] => sectionsOf(page).filter((section) => section.language !== null)

/** Rejects a fence that is never closed. */
function sectionsOf(page: string): (Block & { language: string })[] {
  const blocks: (Block & { language: string; lines: string[] })[] = []
  let open: (Block & { language: string; lines: string[]; indent: number }) | null = null
  let isFenced = false
  let last = ''
  for (const [index, line] of readRepositoryFile(page).split('\n').entries()) {
    const fence = /^( *)```\s*(\w*)\s*$/.exec(line)
    if (isFenced && fence) {
      isFenced = false
      open = null
    } else if (open && (isFenced || /^ {4}|^$/.test(line))) {
      open.lines.push(line.slice(open.indent))
    } else {
      open = null
      const indent = fence ? fence[1]!.length : 4
      const begins = fence !== null || (/^ {4}\S/.test(line) && last === '')
      if (begins) {
        isFenced = fence !== null
        const lines = isFenced ? [] : [line.slice(4)]
        open = { page, place: `${page}:${index + (isFenced ? 2 : 1)}`, language: fence?.[2] ?? '', lines, indent }
        blocks.push(open)
      }
    }
    last = line
  }
  if (isFenced) throw new Error(`${open?.place}: the block does not end`)
  return blocks
}

export interface ShownOutput {
  readonly place: string
  readonly command: DocCommand
  readonly lines: readonly string[]
}

/** Output that a page shows behind a command: the `text` block that follows the block of the command. */
export function shownOutputs(page: string): ShownOutput[] {
  const blocks = blocksOf(page)
  return blocks.flatMap((block, index) => {
    const command = inBlock(blocks[index - 1] ?? block).at(-1)
    const isOutput = block.language === 'text' && inBlock(block).length === 0
    return isOutput && command ? [{ place: block.place, command, lines: block.lines }] : []
  })
}

/** Commands of blocks, then those of running text and tables. Generated pages repeat the texts of the program and are left out. */
export function docCommands(): DocCommand[] {
  return docPages
    .filter((page) => page !== 'docs/command-line.md')
    .flatMap((page) => [...blocksOf(page).flatMap(inBlock), ...inProse(page)])
}

const PROMPT = /^\s*(?:\$ |> |sudo )*(?:\.[\\/])?footman(?:\.exe)? (.*)$/

const inBlock = ({ page, place, lines, language }: Block): DocCommand[] =>
  language === 'text' && !lines.every((line) => line === '' || PROMPT.test(line))
    ? []
    : lines.flatMap((line, index) => {
        const rest = PROMPT.exec(line)?.[1]
        if (rest === undefined) return []
        const at = `${page}:${Number(place.split(':')[1]) + index}`
        return [{ place: at, page, text: `footman ${rest}`, args: words(rest), inText: false }]
      })

function inProse(page: string): DocCommand[] {
  let fenced = false
  return readRepositoryFile(page)
    .split('\n')
    .flatMap((line, index) => {
      if (/^\s*```/.test(line)) {
        fenced = !fenced
        return []
      }
      if (fenced || /^ {4}/.test(line)) return []
      return [...line.matchAll(/`(?:sudo )?footman ([^`]+)`/g)].map(([, rest]) => ({
        place: `${page}:${index + 1}`,
        page,
        text: `footman ${rest}`,
        args: words(rest!.replace(/[[\]]/g, '')),
        inText: true,
      }))
    })
}

/** Splits a command like a shell; backslashes are those of Windows paths. */
export function words(text: string): string[] {
  const found: string[] = []
  for (const [whole] of text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)) {
    if (/^[|>#&]|^<$|^\d>$/.test(whole)) break
    found.push(whole.replace(/["']/g, ''))
  }
  return found
}
