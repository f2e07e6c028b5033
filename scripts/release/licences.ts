/** THIRD-PARTY-LICENCES.txt: the libraries in the executable, each with its licence. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../build/identity.ts'
import { type BundledPackage, idOf } from './bundled.ts'
import { RUNTIME_PARTS } from './runtime-parts.ts'

/** swagger-ui-dist lists the libraries of its bundle in `swagger-ui-bundle.js.LICENSE.txt`. */
const LICENCE_FILE = /^(licen[cs]e|copying|notice)\b|^swagger-ui-(es-bundle|bundle)\.js\.LICENSE\.txt$/i
const RULE = '='.repeat(80)

/**
 * Embedded in archived PDF documents. The profile names itself `sRGB2014`, and its checksum shows that it is unaltered; PDFKit
 * brings the same file. Terms of its publisher: https://www.color.org/srgbprofiles.xalter,
 * https://doc.qt.io/qt-6.0/qtgui-attribution-icc-srgb-color-profile.html.
 */
const COLOR_PROFILE = `sRGB2014.icc, the colour profile of archived PDF documents (srgb.icc)

Copyright International Color Consortium, 2015

This profile is made available by the International Color Consortium, and may be copied, distributed, embedded, made, used, and
sold without restriction. Altered versions of this profile shall have the original identification and copyright information
removed and shall not be misrepresented as the original profile.`

/** `packages` and the version of Bun in the executable. Throws for a package that brings no licence. */
export function licenceText(packages: readonly BundledPackage[], bunVersion: string): string {
  return [
    'Footman is under the MIT licence (LICENSE). Its executable contains the works below.',
    runtimeText(bunVersion),
    ...packages.map(packageText),
    COLOR_PROFILE,
    ...['2.0', '2.1'].map(lgplText),
  ].join(`\n\n${RULE}\n`)
}

function packageText(bundled: BundledPackage): string {
  const texts = readdirSync(bundled.directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && LICENCE_FILE.test(entry.name))
    .map(({ name }) => name)
    .sort()
    .map((name) => readFileSync(join(bundled.directory, name), 'utf8').replaceAll('\r\n', '\n').trim())
  if (texts.length === 0) texts.push(textWithout(bundled))
  return [`${idOf(bundled)} (${bundled.licence})`, ...texts].join('\n\n')
}

/** The licence of a package that only names it in package.json: its text, for the author or with the source. */
function textWithout(bundled: BundledPackage): string {
  const { author, repository } = JSON.parse(readFileSync(join(bundled.directory, 'package.json'), 'utf8'))
  const general = join(import.meta.dirname, 'licences', `${bundled.licence}.txt`)
  if (existsSync(general)) {
    const source = typeof repository === 'object' ? repository?.url : repository
    return `Source: ${source}\n\n${readFileSync(general, 'utf8').trim()}`
  }
  const holder = typeof author === 'object' ? author?.name : author
  if (bundled.licence !== 'MIT' || !holder) {
    throw new Error(`${idOf(bundled)} brings no licence text; look for one before you ship it`)
  }
  return `Copyright (c) ${holder}\n\n${mitTerms()}`
}

/** Those of Footman itself, without its copyright line. */
function mitTerms(): string {
  const text = readFileSync(join(root, 'LICENSE'), 'utf8')
  return text.slice(text.indexOf('Permission is hereby granted')).trim()
}

function runtimeText(version: string): string {
  const width = Math.max(...RUNTIME_PARTS.map(({ name }) => name.length))
  const parts = RUNTIME_PARTS.map(({ name, licence, note }) =>
    `  ${name.padEnd(width)}  ${licence}${note ? ` (${note})` : ''}`.trimEnd(),
  )
  return `Bun ${version} (MIT), the runtime

Copyright Oven and the contributors of Bun, https://bun.com. Its source, with the licence texts of everything in it:
https://github.com/oven-sh/bun/tree/bun-v${version}. It contains

${parts.join('\n')}

JavaScriptCore, WebKit and TinyCC are under the GNU Lesser General Public License, whose texts are at the end of this
file. Their source as used here: https://github.com/oven-sh/WebKit and https://github.com/oven-sh/tinycc. You may change
them, build a Bun of your own with them ("bun run build:local" in the source of Bun) and build Footman with that Bun: in
the source of Footman, at the commit that "footman version" prints, run "YOUR-BUN scripts/build.ts".`
}

const lgplText = (version: string): string =>
  readFileSync(join(import.meta.dirname, 'licences', `LGPL-${version}.txt`), 'utf8').trimEnd()
