/** The forms of definitions, made from their schemas, in steps. */
import { reportCondition } from '../../../reports/entities/condition.ts'
import { reportFilter } from '../../../reports/entities/filter.ts'
import { recipient, recipientGroup } from '../../../reports/entities/recipient.ts'
import { blockReport, templateReport } from '../../../reports/entities/report.ts'
import { reportTask } from '../../../reports/entities/task.ts'
import type { Field, Members } from '../../schema-form/fields.ts'
import { formOf, type SchemaForm } from '../../schema-form/of-schema.ts'
import type { Kind } from './kinds.ts'

export interface Step {
  readonly id: string
  readonly title: string
  readonly sub?: string
}

const PAGE: Step = { id: 'page', title: 'Page' }
const REPORT: Step = { id: 'report', title: 'Report' }

/** Every form of definitions: those of reports by their type. The first step has the members that name none. */
const FORMS = {
  task: {
    schema: reportTask,
    steps: [
      { id: 'task', title: 'Task' },
      { id: 'reports', title: 'Reports', sub: 'Which reports, in which format.' },
      { id: 'data', title: 'Data', sub: 'Filters of all its reports, and conditions that decide about the run.' },
      { id: 'recipients', title: 'Recipients', sub: 'The filters of a person make the report their own.' },
      { id: 'delivery', title: 'Delivery', sub: 'Mails, files and the hub.' },
      { id: 'triggers', title: 'Triggers', sub: 'When it runs.' },
      { id: 'outcome-mails', title: 'Outcome mails', sub: 'Mails about runs and their problems.' },
      { id: 'test', title: 'Test', sub: 'Test mode sends every mail of every run to one address.' },
    ],
  },
  blocks: {
    schema: blockReport,
    steps: [REPORT, { id: 'blocks', title: 'Blocks', sub: 'The content of the report, in this order.' }, PAGE],
  },
  template: {
    schema: templateReport,
    steps: [REPORT, { id: 'template', title: 'Template', sub: 'An Office file, and what its tags stand for.' }, PAGE],
  },
  filter: {
    schema: reportFilter,
    steps: [
      { id: 'definition', title: 'Filter' },
      { id: 'clauses', title: 'Clauses', sub: 'All of them apply together.' },
    ],
  },
  condition: {
    schema: reportCondition,
    steps: [
      { id: 'definition', title: 'Condition' },
      { id: 'rules', title: 'Rules' },
    ],
  },
  recipient: { schema: recipient, steps: [{ id: 'definition', title: 'Recipient' }] },
  group: { schema: recipientGroup, steps: [{ id: 'definition', title: 'Group' }] },
} as const

interface DefinitionForm extends SchemaForm {
  readonly steps: readonly (Step & { readonly fields: readonly Field[] })[]
}

const made = new Map<keyof typeof FORMS, DefinitionForm>()

/** The form of a definition. */
export function formOfKind(kind: Kind, { type }: Members): DefinitionForm {
  const name = kind === 'report' ? (type === 'template' ? 'template' : 'blocks') : kind
  const known = made.get(name)
  if (known) return known
  const { schema, steps } = FORMS[name]
  const form = formOf(schema())
  const fieldsOf = (id: string) => form.fields.filter(({ group = steps[0].id }) => group === id)
  const full = { ...form, steps: steps.map((step) => ({ ...step, fields: fieldsOf(step.id) })) }
  made.set(name, full)
  return full
}
