import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { mailView } from '../../../../src/alerts/destinations/email/view.ts'
import { createTemplateEngine } from '../../../../src/alerts/templates/engine.ts'
import { templateEngine } from '../../../support/alerts.ts'
import { tempDirectory } from '../../../support/temp.ts'

const directory = tempDirectory()
afterAll(() => directory.remove())

let counter = 0
/** A fresh folder with these files; returns its name below the temporary directory. */
function folder(files: Record<string, string>): string {
  const name = `f${counter++}`
  mkdirSync(directory.join(name, 'partials'), { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(directory.join(name, file), text)
  return name
}

describe('the body template of a mail', () => {
  const engine = templateEngine([directory.path])
  const body = async (files: Record<string, string>, name: string) => {
    const found = await engine.findEmail(folder(files), name)
    return found && engine.render(found.html, { x: 1 }, 'html')
  }

  test.each([
    [['m.eta', 'm.handlebars', 'm-qseow.handlebars'], 'm', 'm.eta'],
    [['m.handlebars', 'm-qseow.handlebars'], 'm', 'm.handlebars'],
    [['m.hbs', 'm-qseow.handlebars'], 'm', 'm.hbs'],
    [['m-qseow.handlebars'], 'm', 'm-qseow.handlebars'],
    [['m.eta', 'm.handlebars'], 'm.handlebars', 'm.handlebars'],
    [['other.eta'], 'm', null],
    [['m.eta'], 'm.handlebars', null],
  ] as const)('of %p the name %s means %p', async (names, name, expected) => {
    expect(await body(Object.fromEntries(names.map((file) => [file, file])), name)).toBe(expected)
  })

  test('an absolute folder needs no base', async () => {
    const name = folder({ 'm.handlebars': 'here' })
    expect(await templateEngine().findEmail(directory.join(name), 'm')).not.toBeNull()
    expect(await templateEngine().findEmail(name, 'm')).toBeNull()
  })

  test('a folder that does not exist is no error', async () => {
    expect(await engine.findEmail('nowhere', 'm')).toBeNull()
  })

  test('a text part beside it is found', async () => {
    const found = await engine.findEmail(folder({ 'm.handlebars': 'h', 'm.txt.eta': 'text <%= it.x %>' }), 'm')
    expect(engine.render(found!.text!, { x: '&' }, 'text')).toBe('text &')
  })

  test('partials of the folder and of the working directory, the nearer first', async () => {
    mkdirSync(directory.join('partials'))
    writeFileSync(directory.join('partials', 'far.handlebars'), 'far')
    writeFileSync(directory.join('partials', 'both.handlebars'), 'wrong')
    const files = { 'm.handlebars': '{{> far}} {{> both}} {{#each l}}{{> item}}{{/each}}' }
    const name = folder({ ...files, 'partials/both.handlebars': 'near', 'partials/item.handlebars': '[{{this}}]' })
    const found = await engine.findEmail(name, 'm')
    expect(engine.render(found!.html, { l: ['a', '<'] }, 'html')).toBe('far near [a][&lt;]')
  })

  test('changes take effect at once', async () => {
    const name = folder({ 'm.handlebars': 'old' })
    const read = async () => engine.render((await engine.findEmail(name, 'm'))!.html, {}, 'html')
    expect(await read()).toBe('old')
    writeFileSync(directory.join(name, 'm.handlebars'), 'new')
    utimesSync(directory.join(name, 'm.handlebars'), 1, 1)
    expect(await read()).toBe('new')
  })

  test('errors name the file', async () => {
    const name = folder({ 'm.handlebars': 'a\n{{#if x}}' })
    const found = await engine.findEmail(name, 'm')
    expect(() => engine.render(found!.html, {}, 'html')).toThrow(
      `${directory.join(name, 'm.handlebars')}:2:10: a block is not closed`,
    )
  })

  test('a file that is a folder cannot be read, and says so', async () => {
    const name = folder({})
    mkdirSync(directory.join(name, 'm.eta'))
    expect(engine.findEmail(name, 'm')).rejects.toThrow(/m\.eta: cannot be read/)
  })

  test('a byte-order mark is not part of the text', async () => {
    expect(await body({ 'm.handlebars': '\uFEFFtext' }, 'm')).toBe('text')
  })
})

describe('texts of the configuration', () => {
  const engine = templateEngine()

  test.each([
    ['Reload failed: "{{taskName}}"', 'Reload failed: "A & B"'],
    ['Reload failed: "<%= it.taskName %>"', 'Reload failed: "A & B"'],
  ])('%s', (text, expected) => {
    expect(engine.render({ kind: 'inline', name: 'subject', text }, { taskName: 'A & B' }, 'line')).toBe(expected)
  })
})

test('a template named with its extension', async () => {
  const engine = templateEngine([directory.path])
  const name = folder({ 't.handlebars': '{"a":"{{x}}"}' })
  expect(engine.render((await engine.findFile(`${name}/t.handlebars`))!, { x: '"' }, 'teams')).toBe('{"a":"\\""}')
  expect(await engine.findFile(`${name}/u.handlebars`)).toBeNull()
})

describe('built-in templates', () => {
  const view = mailView({ taskType: 'reload', outcome: 'failed', subjectName: 'Sales', heading: 'Reload failed' })
  const render = async (files: Record<string, string> | null, variants: readonly string[] = []) => {
    const templateDirectory = `t${counter++}`
    if (files) {
      mkdirSync(directory.join(templateDirectory, 'email'), { recursive: true })
      for (const [file, text] of Object.entries(files))
        writeFileSync(directory.join(templateDirectory, 'email', file), text)
    }
    const engine = createTemplateEngine({ candidates: (path) => [directory.join(path)], templateDirectory })
    return engine.render(await engine.findBuiltin('email/alert', variants), { view, x: '<' }, 'html')
  }

  test('are used as they are without files of the same name', async () => {
    const builtin = templateEngine().render({ kind: 'builtin', name: 'email/alert' }, { view }, 'html')
    expect(await render(null)).toBe(builtin)
    expect(await render({ 'other.eta': 'x' })).toBe(builtin)
    expect(builtin).toContain('<h1')
  })

  test('one part can be replaced by a file of the template directory', async () => {
    const html = await render({ 'layout.eta': 'MINE <%= it.x %> <%~ it.body %>' })
    expect(html).toStartWith('MINE &lt; ')
    expect(html).not.toContain('<!doctype')
  })

  test('a file for one kind of event wins over the general one', async () => {
    const files = {
      'alert.eta': 'all',
      'reload-failed.eta': "<% layout('./frame', it) %>one",
      'frame.eta': '[<%~ it.body %>]',
    }
    expect(await render(files, ['reload-failed'])).toBe('[one]')
    expect(await render(files, ['reload-success'])).toBe('all')
  })
})

test('a file is also found in the template directory', async () => {
  const name = folder({ 'alert.hbs': 'found {{x}}' })
  const engine = createTemplateEngine({ candidates: (path) => [directory.join(path)], templateDirectory: name })
  expect(engine.render((await engine.findFile('alert.hbs'))!, { x: 1 }, 'text')).toBe('found 1')
})
