/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The form of a definition: all its steps in one page, which any browser can post as a whole. */
import type { FC } from 'hono/jsx'
import { createZoneTimes } from '../../../platform/zone-times.ts'
import type { ConditionTest } from '../../../reports/contract.ts'
import { STORAGE_SPACES } from '../../../reports/entities/contract.ts'
import { STORED_MEMBERS } from '../../../reports/entities/fields.ts'
import type { Plan } from '../../../reports/runs/contract.ts'
import { CHECK_TEMPLATE, TEMPLATES } from '../../../reports/templates/contract.ts'
import type { Asked, Failure } from '../../ask.ts'
import type { PageContent, PageContext } from '../../page.ts'
import { VersionConflict } from '../../schema-form/conflict.tsx'
import { Fields } from '../../schema-form/controls.tsx'
import { controlOf, differences, type Members, memberAt } from '../../schema-form/fields.ts'
import { ActionLink, FormErrors, FormFields } from '../../ui/forms.tsx'
import { Badge, Mark } from '../../ui/marks.tsx'
import { ErrorBox, Facts, Head, Panel, part } from '../../ui/panel.tsx'
import { Name, plainName } from '../../ui/text.tsx'
import { type Definition, type DefinitionChoices, KINDS, type Kind, listed, uses } from './kinds.ts'
import { PlanView } from './plan.tsx'
import { Preview, type PreviewChoices, TemplatePanel } from './preview.tsx'
import { formOfKind } from './steps.ts'

/** A form under way. */
export interface Draft extends PreviewChoices {
  readonly kind: Kind
  /** '' = new. */
  readonly id: string
  /** The revision of the definition when the form was opened; 0 = new. */
  readonly revision: number
  /** The definition when the form was opened. */
  readonly before: Members
  readonly definition: Members
  readonly failure?: Failure | undefined
  /** Title of the failure; default: `Not saved`. */
  readonly failed?: string
  /** The definition that another caller has saved meanwhile. */
  readonly present?: Definition
  readonly notice?: string
  readonly plan?: Asked<Plan>
  /** Address to which the plan is limited. */
  readonly planFor?: string
  /** Where the page of the plan begins. */
  readonly planFrom?: number
  readonly tested?: Asked<ConditionTest>
}

const STORED: readonly string[] = STORED_MEMBERS

export const editable = (definition: object): Members =>
  Object.fromEntries(Object.entries(definition).filter(([name]) => !STORED.includes(name)))

const isChanged = ({ id, before, definition }: Draft): boolean =>
  id !== '' && differences(before, definition).length > 0

const SAVE = 'reports.save'

export async function editorPage(context: PageContext, draft: Draft): Promise<PageContent> {
  const { kind, id, definition, failure } = draft
  const { path, one, many } = KINDS[kind]
  const hasTemplate = kind === 'report' && definition.type === 'template'
  const [choices, usedBy, templates, check] = await Promise.all([
    choicesOf(context),
    usersOf(context, draft),
    hasTemplate ? context.ask(TEMPLATES) : null,
    hasTemplate && id !== '' && memberAt(draft.before, 'template.source') === 'file'
      ? context.ask(CHECK_TEMPLATE, { params: { id } })
      : null,
  ])
  const { steps } = formOfKind(kind, definition)
  const action = context.link(`/form/${SAVE}`)
  const title = id === '' ? `New ${one}` : plainName(String(draft.before.name ?? ''))
  const form = { definition, choices, action, times: createZoneTimes(context.timezone) }
  const errors = new Map(failure?.issues.map((issue) => [controlOf(issue.path), issue.message]))
  return {
    title,
    place: 'reports',
    scripts: ['editor.js'],
    status: failure?.status ?? 200,
    body: (
      <>
        <Head
          title={title}
          crumbs={[
            { href: context.link('/reports'), text: 'Reports' },
            ...(kind === 'task' ? [] : [{ href: context.link(path), text: many === 'Reports' ? 'All reports' : many }]),
            ...(kind === 'task' && id !== '' ? [{ href: context.link(`${path}/${id}`), text: title }] : []),
          ]}
          beside={
            <>
              {draft.revision > 0 && <span class="muted">revision {draft.revision}</span>}
              {kind === 'task' && definition.enabled === true && <Badge tone="ok" text="on" />}
              {memberAt(definition, 'testMode.enabled') === true && <Badge tone="warn" text="test mode" />}
            </>
          }
        >
          {id !== '' && kind !== 'task' && (
            <>
              <a class="btn" href={context.link(`${path}/new`, { from: id })}>
                Copy
              </a>
              <Delete context={context} kind={kind} id={id} />
            </>
          )}
        </Head>
        {draft.notice && (
          <p class="flash" role="status">
            {draft.notice}
          </p>
        )}
        {failure && failure.status !== 412 && <ErrorBox failure={failure} what={draft.failed ?? 'Not saved'} />}
        <form method="post" action={action} class="two editor" novalidate data-dirty={String(isChanged(draft))}>
          <FormFields
            context={context}
            values={{
              kind,
              id,
              revision: draft.revision,
              before: JSON.stringify(draft.before),
              definition: JSON.stringify(definition),
              zone: context.timezone,
            }}
            then={context.link(id === '' ? '/reports' : `${path}/${id}`)}
          />
          <div class="stack">
            <div class="acts">
              <SaveButton context={context} />
              {kind === 'task' && (
                <button type="submit" class="btn" name="do" value="plan" formaction={`${action}#plan`}>
                  Plan
                </button>
              )}
              {kind === 'task' && <SaveButton context={context} test />}
            </div>
            {draft.present && (
              <VersionConflict
                context={context}
                before={draft.before}
                now={editable(draft.present)}
                mine={definition}
                revision={draft.present.revision}
                by={draft.present.modifiedBy}
                at={draft.present.modifiedAt}
              />
            )}
            {steps.length > 1 && (
              <nav class="acts" aria-label="Steps">
                {steps.map((step) => (
                  <a class="btn s quiet" href={`#step-${step.id}`}>
                    {step.title}
                  </a>
                ))}
              </nav>
            )}
            <FormErrors.Provider value={errors}>
              {steps.map((step) => (
                <Panel id={`step-${step.id}`} title={step.title}>
                  <div class="body">
                    {step.sub && <p class="muted small">{step.sub}</p>}
                    <Fields form={{ ...form, step: step.id }} fields={step.fields} />
                  </div>
                </Panel>
              ))}
            </FormErrors.Provider>
            <div class="acts">
              <SaveButton context={context} />
            </div>
          </div>
          <div class="stack">
            {kind === 'task' && <PlanPanel context={context} draft={draft} choices={choices} action={action} />}
            {(kind === 'task' || kind === 'report') && (
              <Preview context={context} draft={draft} choices={choices} action={action} />
            )}
            {templates && (
              <TemplatePanel context={context} id={id} templates={templates} check={check} action={action} />
            )}
            {kind === 'condition' && id !== '' && <TestPanel draft={draft} context={context} action={action} />}
            {usedBy.length > 0 && (
              <Panel id="used-by" title="Used by" count={usedBy.length}>
                <ul class="list body">
                  {usedBy.map(({ what, href, name }) => (
                    <li>
                      <a href={href}>
                        <Name text={name} />
                      </a>
                      <span class="muted">{what}</span>
                    </li>
                  ))}
                </ul>
              </Panel>
            )}
            <Panel id="json" title="JSON">
              <div class="body stack">
                <details class="entry">
                  <summary>The whole definition</summary>
                  <label class="stack">
                    <span class="muted small">For members that have no field here.</span>
                    <textarea name="json" rows={16} spellcheck={false} class="mono" aria-label="Definition as JSON">
                      {`\n${JSON.stringify(definition, null, 2)}`}
                    </textarea>
                  </label>
                  <div class="acts">
                    <button type="submit" class="btn s" name="do" value="json">
                      Take this JSON
                    </button>
                  </div>
                </details>
              </div>
            </Panel>
          </div>
        </form>
      </>
    ),
  }
}

const SaveButton: FC<{ readonly context: PageContext; readonly test?: boolean }> = ({ context, test = false }) => {
  const isAllowed = context.may('report:write')
  return (
    <button
      type="submit"
      class={test ? 'btn' : 'btn primary'}
      name="do"
      value={test ? 'save test' : 'save'}
      disabled={!isAllowed}
      title={isAllowed ? undefined : 'This needs the scope report:write'}
    >
      {test ? 'Save and test…' : 'Save'}
    </button>
  )
}

export const Delete: FC<{ readonly context: PageContext; readonly kind: Kind; readonly id: string }> = ({
  context,
  kind,
  id,
}) => (
  <ActionLink
    context={context}
    operation="reports.delete"
    scope="report:write"
    class=""
    values={{ kind, id }}
    then={context.link(kind === 'task' ? '/reports' : KINDS[kind].path)}
  >
    Delete…
  </ActionLink>
)

interface BesideProps {
  readonly context: PageContext
  readonly draft: Draft
  readonly choices: DefinitionChoices
  readonly action: string
}

const PlanPanel: FC<BesideProps> = ({
  context,
  draft: { plan, planFor = '', planFrom: from = 0 },
  choices,
  action,
}) => (
  <Panel id="plan" title="Plan: who gets what" tools={<span class="muted small">nothing is sent</span>}>
    <div class="body stack">
      <label class="field">
        <span>Only for</span>
        <input type="text" name="planFor" value={planFor} placeholder="all addresses" autocomplete="off" />
      </label>
      <div class="acts">
        <button type="submit" class="btn s" name="do" value="plan" formaction={`${action}#plan`}>
          Plan what is in the form
        </button>
      </div>
      <div data-part="plan" data-shown={String(plan !== undefined)}>
        {plan ? (
          part(
            plan,
            (data) => <PlanView context={context} plan={data} filters={choices.filter} form={{ action, from }} />,
            'No plan',
          )
        ) : (
          <p class="muted small">Opens the app and shows who would get which document, and why someone gets nothing.</p>
        )}
      </div>
    </div>
  </Panel>
)

const TestPanel: FC<{ readonly draft: Draft; readonly context: PageContext; readonly action: string }> = ({
  draft: { tested },
  context,
  action,
}) => (
  <Panel id="test" title="Test" tools={<span class="muted small">of the saved condition</span>}>
    <div class="body stack">
      <div class="acts">
        <button
          type="submit"
          class="btn s"
          name="do"
          value="test"
          formaction={`${action}#test`}
          disabled={!context.may('report:run')}
          title={context.may('report:run') ? undefined : 'This needs the scope report:run'}
        >
          Evaluate it now
        </button>
      </div>
      {tested &&
        part(tested, ({ met, rules }) => (
          <>
            <p>
              <Mark state={met ? 'success' : 'skipped'} word={met ? 'holds' : 'does not hold'} />
            </p>
            {rules.map((rule) => (
              <Facts
                facts={Object.entries(rule).map(
                  ([name, value]) =>
                    [name, <Name text={typeof value === 'string' ? value : JSON.stringify(value)} />] as const,
                )}
              />
            ))}
          </>
        ))}
    </div>
  </Panel>
)

async function choicesOf(context: PageContext): Promise<DefinitionChoices> {
  const choices = async <K extends Kind>(kind: K) => {
    const answer = await listed(context, kind)
    return answer.ok ? answer.data.items : []
  }
  const [spaces, task, report, filter, condition, recipient, group] = await Promise.all([
    context.ask(STORAGE_SPACES),
    choices('task'),
    choices('report'),
    choices('filter'),
    choices('condition'),
    choices('recipient'),
    choices('group'),
  ])
  return { task, report, filter, condition, recipient, group, space: spaces.ok ? spaces.data.storageSpaces : [] }
}

interface User {
  readonly what: string
  readonly href: string
  readonly name: string
}

/** The definitions that name this one. */
async function usersOf(context: PageContext, { kind, id }: Draft): Promise<readonly User[]> {
  if (id === '' || kind === 'task') return []
  const kinds = (Object.keys(KINDS) as Kind[]).filter((one) => one !== 'filter' && one !== 'condition')
  const lists = await Promise.all(kinds.map(async (one) => [one, await listed(context, one)] as const))
  return lists.flatMap(([one, answer]) =>
    (answer.ok ? answer.data.items : [])
      .filter((item) => uses(item, id))
      .map((item) => ({
        what: KINDS[one].one,
        href: context.link(`${KINDS[one].path}/${item.id}`),
        name: item.name,
      })),
  )
}
