import { describe, expect, test } from 'bun:test'
import type { Target } from '../../../../src/alerts/templates/escape.ts'
import { createEta } from '../../../../src/alerts/templates/eta.ts'
import { TemplateError } from '../../../../src/alerts/templates/source.ts'

function render(text: string, record = {}, siblings: Record<string, string> = {}, target: Target = 'html'): string {
  const source = { file: 'mail.eta', syntax: 'eta', text, siblings: new Map(Object.entries(siblings)) } as const
  return createEta(target).compile(source)(record)
}

describe('Eta templates', () => {
  test('loops, conditions and values', () => {
    const text = '<% for (const tag of it.tags) { %>[<%= tag %>]<% } %><% if (it.no) { %>x<% } %>'
    expect(render(text, { tags: ['a', '<b>'], no: false })).toBe('[a][&lt;b&gt;]')
  })

  test('includes and layouts from the same folder, under any of their names', () => {
    const siblings = { part: '(<%= it.x %>)', frame: '<f><%~ it.body %></f>' }
    for (const name of ['part', './part', 'part.eta', './part.eta']) {
      expect(render(`<%~ include('${name}', { x: '&' }) %>`, {}, siblings)).toBe('(&amp;)')
    }
    expect(render("<% layout('./frame') %>in", {}, siblings)).toBe('<f>in</f>')
  })

  test('included parts are escaped once in JSON', () => {
    const siblings = { part: '"<%= it.x %>"', frame: '{"b":<%~ it.body %>}' }
    const text = "<% layout('./frame') %><%~ include('./part') %>"
    expect(JSON.parse(render(text, { x: '"\\\n' }, siblings, 'slack'))).toEqual({ b: '"\\\n' })
  })
})

describe('errors name the place', () => {
  const errorOf = (text: string, siblings: Record<string, string> = {}) => {
    try {
      render(text, {}, siblings)
    } catch (error) {
      if (error instanceof TemplateError) return error
    }
    return null
  }

  test.each([
    ['one\n two <%= it.x + %>', 2, 6],
    ['one\n<% if (it.x { %>\n<% } %>', 2, 1],
    ['one\n<% if (it.x) { %>\n two', 2, 1],
    ['one\n<% } %>', 2, 1],
    ['one\n two <%= it.x', 2, 6],
    ['a\n<% for (const x of it.l) { %>\n <%~ x ] %>\n<% } %>', 3, 2],
  ])('syntax %p', (text, line, column) => {
    expect(errorOf(text)?.place).toEqual({ file: 'mail.eta', line, column })
  })

  test('while running', () => {
    expect(errorOf('one\n<%= it.x.y %>')?.place).toEqual({ file: 'mail.eta', line: 2 })
  })

  test('in an included part', () => {
    const error = errorOf("one\n<%~ include('./part') %>", { part: 'a\nb\n<%= it.x.y %>' })
    expect(error?.place).toEqual({ file: 'part', line: 3 })
  })

  test('in the syntax of an included part', () => {
    const error = errorOf("one\n<%~ include('./part') %>", { part: 'a\n<%= 1 + %>' })
    expect(error?.place).toEqual({ file: 'part', line: 2, column: 1 })
  })

  test('a part that does not exist', () => {
    expect(errorOf("<%~ include('../../etc/passwd') %>")?.message).toContain('there is no template "../../etc/passwd"')
  })
})
