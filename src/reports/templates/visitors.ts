/** The two ways to visit the tags of documents and slides: checking their names, and filling them in. */
import type { Node } from '@xmldom/xmldom'
import { createFindings, type Findings, type Names } from './names.ts'
import { TemplateError, templateError } from './problems.ts'
import type { Scope } from './scope.ts'
import type { TagOf } from './tags.ts'
import type { Visitor } from './text.ts'

/** Whether the tag repeats rows of a table; false for conditions, levels and unknown names. */
const isLoop = (tag: TagOf<'open' | 'level'>, names: Names): boolean =>
  createFindings().check(tag, '', names)?.kind === 'loop'

/** Collects problems; loops are visited once. */
export function checkVisitor(findings: Findings, names: Names, pictures: (root: Node, names: Names) => void): Visitor {
  return {
    isCheck: true,
    problem: (problem) => findings.add(problem),
    async text(tag, place) {
      findings.check(tag, place, names)
      return null
    },
    isLoop: (tag) => isLoop(tag, names),
    assuming(tag) {
      const frame = createFindings().check(tag, '', names)
      return frame ? checkVisitor(findings, names.inside(frame), pictures) : this
    },
    async repeat(tag, place, content) {
      const frame = findings.check(tag, place, names)
      await content(checkVisitor(findings, frame ? names.inside(frame) : names, pictures))
    },
    async pictures(root) {
      pictures(root, names)
    },
  }
}

/** Fills in values. The template has been checked, so problems of its structure are none of the data. */
export function fillVisitor(
  scope: Scope,
  pictures: (root: Node, scope: Scope) => Promise<void>,
  pack: Visitor['pack'] = () => null,
): Visitor {
  return {
    isCheck: false,
    isLoop: (tag) => isLoop(tag, scope.names),
    assuming() {
      return this
    },
    problem: (problem) => {
      throw new TemplateError([problem])
    },
    async text(tag, place) {
      if (tag.kind === 'invalid') throw templateError('TEMPLATE_INVALID', place, `${tag.source}: ${tag.problem}`)
      return await scope.text(tag)
    },
    async repeat(tag, _place, content) {
      const filled = (inner: Scope) => content(fillVisitor(inner, pictures, pack))
      if (tag.kind === 'level') await scope.eachValue(tag.path, filled)
      else for await (const inner of scope.repeat(tag)) await filled(inner)
    },
    pack,
    pictures: (root) => pictures(root, scope),
  }
}
