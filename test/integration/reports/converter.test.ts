import { afterAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createConverter } from '../../../src/reports/templates/converter.ts'
import { shape, slideTemplate } from '../../support/presentations.ts'
import { needs, program } from '../../support/servers.ts'
import { tempDirectory } from '../../support/temp.ts'
import { filledTemplate, paragraph, wordTemplate } from '../../support/templates.ts'
import { until } from '../../support/wait.ts'

needs('pdftotext', 'soffice')

const pdftotext = program('pdftotext')
const directory = tempDirectory()
afterAll(() => directory.remove())

const converterIn = (
  folder: string,
  { path = '', parallel = 1, timeoutSeconds = 120, enable = 'auto' as 'auto' | 'off' } = {},
) =>
  createConverter({
    temporaryDirectory: directory.join(folder),
    officeConverter: { enable, path, timeoutSeconds, parallel },
  })
const signal = () => new AbortController().signal

/** Processes whose command line or group leader names the text; by reading the process table. */
function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)
      } catch {
        return false
      }
    })
    .map(Number)
}

async function wordFile(name: string, text = 'Revenue {{revenue}}'): Promise<string> {
  const path = directory.join(name)
  await Bun.write(path, (await filledTemplate(wordTemplate(paragraph(text)))).bytes)
  return path
}

const textOf = (pdf: string) => spawnSync(pdftotext, ['-layout', pdf, '-'], { encoding: 'utf8' }).stdout.trim()

describe('with LibreOffice', () => {
  test(
    'documents and presentations become PDF',
    async () => {
      const converter = converterIn('plain')
      const { path, version } = await converter.find()
      expect(path).toEndWith('soffice')
      expect(version).toMatch(/^\d+\.\d/)
      await converter.toPdf(await wordFile('one.docx'), 'docx', directory.join('one.pdf'), signal())
      expect(textOf(directory.join('one.pdf'))).toBe('Revenue 4,010.5')

      const slides = await filledTemplate(
        await slideTemplate({ content: shape('A', 0, '{{@region}}Region {{region}}') }),
      )
      await Bun.write(directory.join('slides.pptx'), slides.bytes)
      await converter.toPdf(directory.join('slides.pptx'), 'pptx', directory.join('slides.pdf'), signal())
      expect(textOf(directory.join('slides.pdf')).split(/\s*\f\s*/)).toEqual([
        'Region Nord',
        'Region Süd',
        'Region West',
      ])

      // The folders of conversions are gone, the profile stays for the next one.
      const slot = directory.join('plain/office-converter/slot-1')
      const [lock, profile, ...others] = readdirSync(slot).sort()
      expect([lock, profile, others]).toEqual(['footman.lock', expect.stringMatching(/^profile-/), []])

      // A Footman that was killed while it converted leaves its folders, and perhaps a LibreOffice with its profile.
      mkdirSync(join(slot, 'in'))
      await converter.toPdf(await wordFile('next.docx'), 'docx', directory.join('next.pdf'), signal())
      expect(textOf(directory.join('next.pdf'))).toBe('Revenue 4,010.5')
      expect(readdirSync(slot)).toHaveLength(2)
      expect(readdirSync(slot)).not.toContain(profile)
    },
    { timeout: 120_000 },
  )

  test(
    'a file that cannot be loaded fails, although LibreOffice ends with 0',
    async () => {
      const bytes = readFileSync(await wordFile('whole.docx'))
      await Bun.write(directory.join('broken.docx'), bytes.subarray(0, bytes.length / 2))
      const failed = converterIn('broken').toPdf(
        directory.join('broken.docx'),
        'docx',
        directory.join('broken.pdf'),
        signal(),
      )
      expect(failed).rejects.toMatchObject({
        code: 'CONVERTER_FAILED',
        details: expect.stringContaining('source file could not be loaded'),
      })
      await failed.catch(() => undefined)
      expect(existsSync(directory.join('broken.pdf'))).toBe(false)
    },
    { timeout: 120_000 },
  )

  test(
    'two conversions at once, in two slots, do not disturb each other; two converters share the slots',
    async () => {
      const [first, second] = [converterIn('two', { parallel: 2 }), converterIn('two', { parallel: 2 })]
      const names = ['a', 'b', 'c']
      const files = await Promise.all(names.map((name) => wordFile(`${name}.docx`, `This is ${name}`)))
      await Promise.all(
        names.map((name, index) =>
          (index === 0 ? first : second).toPdf(files[index]!, 'docx', directory.join(`${name}.pdf`), signal()),
        ),
      )
      expect(names.map((name) => textOf(directory.join(`${name}.pdf`)))).toEqual([
        'This is a',
        'This is b',
        'This is c',
      ])
      expect(readdirSync(directory.join('two/office-converter')).sort()).toEqual(['slot-1', 'slot-2'])
    },
    { timeout: 120_000 },
  )

  test(
    'when it is stopped, the whole process tree and the profile are gone',
    async () => {
      const controller = new AbortController()
      const file = await wordFile('stopped.docx')
      const converted = converterIn('stopped').toPdf(file, 'docx', directory.join('stopped.pdf'), controller.signal)
      const outcome = converted.then(
        () => 'converted',
        (error: Error) => error.message,
      )
      const folder = directory.join('stopped/office-converter/slot-1')
      await until(() =>
        processesWith(folder).some((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('soffice.bin')),
      )
      controller.abort(new Error('shutting down'))
      expect(await outcome).toBe('shutting down')
      expect(processesWith(folder)).toEqual([])
      expect(readdirSync(folder)).toEqual(['footman.lock'])
    },
    { timeout: 120_000 },
  )

  test(
    'the probe converts a file of its own',
    async () => {
      const probed = await converterIn('probe').probe(signal())
      expect(probed).toMatchObject({ path: expect.stringMatching(/soffice$/), durationMs: expect.any(Number) })
      expect(readdirSync(directory.join('probe/office-converter'))).toEqual(['slot-1'])
    },
    { timeout: 120_000 },
  )
})

describe.skipIf(process.platform === 'win32')('with a program in its place', () => {
  /** A program that answers `--version` and otherwise runs the script. */
  async function program(name: string, script: string, version = 'LibreOffice 7.4.7.2 40(Build:2)'): Promise<string> {
    const path = directory.join(name)
    await Bun.write(path, `#!/bin/sh\nif [ "$1" = --version ]; then echo '${version}'; exit; fi\n${script}\n`)
    chmodSync(path, 0o755)
    return path
  }
  const convert = async (name: string, script: string, settings = {}, end = signal()) => {
    const path = await program(name, script)
    await Bun.write(directory.join('x.docx'), 'x')
    return await converterIn(name.replace('.sh', ''), { path, ...settings }).toPdf(
      directory.join('x.docx'),
      'docx',
      directory.join(`${name}.pdf`),
      end,
    )
  }

  test('time is up: children of children are gone as well, and the slot is free', async () => {
    const children = directory.join('children')
    const script = `(sleep 300 & echo $! >> ${children}; sleep 300) & echo $! >> ${children}; echo $$ >> ${children}; wait`
    await Bun.write(directory.join('x.docx'), 'x')
    const converter = converterIn('slow', { path: await program('slow.sh', script), timeoutSeconds: 3 })
    const convertSlowly = () => converter.toPdf(directory.join('x.docx'), 'docx', directory.join('slow.pdf'), signal())
    const error = await convertSlowly().catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'CONVERTER_TIMEOUT', details: 'LibreOffice did not finish within 3 s' })
    const started = readFileSync(children, 'utf8').trim().split('\n')
    expect(started).toHaveLength(3)
    for (const pid of started) await until(() => isGone(pid))
    expect(readdirSync(directory.join('slow/office-converter/slot-1'))).toEqual(['footman.lock'])
    expect(await convertSlowly().catch((thrown) => thrown)).toMatchObject({ code: 'CONVERTER_TIMEOUT' })
  }, 60_000)

  /** An ended process may still be listed, until its parent has asked for its exit code. */
  function isGone(pid: string): boolean {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
    } catch {
      return true
    }
  }

  test('the environment is reduced', async () => {
    process.env.FOOTMAN_TEST_SECRET = 'secret'
    const seen = directory.join('seen')
    await convert('env.sh', `env > ${seen}; pwd >> ${seen}; exit 0`).catch(() => undefined)
    delete process.env.FOOTMAN_TEST_SECRET
    const text = readFileSync(seen, 'utf8')
    expect(text).not.toContain('FOOTMAN_TEST_SECRET')
    const home = /^HOME=(.*)$/m.exec(text)?.[1] ?? ''
    expect(home).toStartWith(directory.join('env/office-converter/slot-1/profile-'))
    const profile = readFileSync(join(home, 'user/registrymodifications.xcu'), 'utf8')
    expect(profile).toContain('oor:name="MacroSecurityLevel" oor:op="fuse"><value>3</value>')
  })

  test.each([
    ['nothing.sh', 'echo "no luck" >&2; exit 1', 'LibreOffice made no PDF: no luck'],
    ['silent.sh', 'exit 0', 'LibreOffice made no PDF: no message'],
    [
      'crash.sh',
      'echo "Fatal exception: Signal 11" >&2; echo "Stack:" >&2; echo "0x7f00 main" >&2; exit 139',
      'LibreOffice made no PDF: it crashed',
    ],
    ['killed.sh', 'kill -SEGV $$', 'LibreOffice made no PDF: it crashed'],
    ['shell.sh', 'sh -c "kill -SEGV \\$\\$"; exit $?', 'LibreOffice made no PDF: it crashed'],
    [
      'paths.sh',
      'echo "Warning: failed to read path from javaldx"; echo "convert $PWD/document.docx -> out.pdf"; echo "Error: no filter for file://$PWD/document.docx, $PWD/document.docx"',
      'LibreOffice made no PDF: Error: no filter for document.docx, document.docx',
    ],
    [
      'text.sh',
      'while [ "$1" != --outdir ]; do shift; done; echo text > "$2/document.pdf"',
      'LibreOffice made no PDF: no message',
    ],
  ])('%s makes no PDF', async (name, script, details) => {
    expect(await convert(name, script).catch((thrown) => thrown)).toMatchObject({ code: 'CONVERTER_FAILED', details })
    expect(existsSync(directory.join(`${name}.pdf`))).toBe(false)
  })

  test.each([
    ['is switched off', { enable: 'off' as const }, 'it is switched off (officeConverter.enable)'],
    ['is not at the path', { path: '/nowhere/soffice' }, '/nowhere/soffice does not exist (officeConverter.path)'],
  ])('it %s', async (_, settings, details) => {
    expect(
      await converterIn('none', settings)
        .find()
        .catch((thrown) => thrown),
    ).toMatchObject({
      code: 'CONVERTER_MISSING',
      details: `LibreOffice cannot be used: ${details}`,
    })
  })

  test('it is too old, or its version is unknown', async () => {
    const old = await program('old.sh', '', 'LibreOffice 6.4.7.2 40(Build:2)')
    expect(
      await converterIn('old', { path: old })
        .find()
        .catch((thrown) => thrown),
    ).toMatchObject({
      code: 'CONVERTER_MISSING',
      details: `LibreOffice cannot be used: ${old} is version 6.4.7.2; 7 or later is needed`,
    })
    const unknown = await program('unknown.sh', '', 'hello')
    expect(await converterIn('unknown', { path: unknown }).find()).toEqual({ path: unknown, version: null })
  })
})
