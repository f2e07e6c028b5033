/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The configuration in use, masked; problems of the file; changes that are not in use yet. */
import { stringify } from 'yaml'
import { addressOf } from '../../../http/endpoint/contract.ts'
import { TreeNode, yamlLines } from '../../config-page/page.tsx'
import {
  CONFIG,
  CONFIG_PROBLEMS,
  type ConfigProblems,
  type CurrentConfiguration,
  RELOAD_CONFIG,
  type ReloadResult,
} from '../../contract.ts'
import type { Operations } from '../../forms.tsx'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Icon, type IconName, type Tone } from '../../ui/marks.tsx'
import { Choice, Empty, ErrorBox, Panel, part, Table } from '../../ui/panel.tsx'
import { Ago, counted, Name } from '../../ui/text.tsx'
import { SystemHead } from './places.tsx'

export const configPage: Page = {
  path: '/system/config',
  place: 'system',
  scope: 'admin',
  async render(context) {
    const [config, problems] = await Promise.all([context.ask(CONFIG), context.ask(CONFIG_PROBLEMS)])
    return {
      title: 'Configuration',
      ...(config.ok ? {} : { status: config.status }),
      body: (
        <>
          <SystemHead context={context} title="Configuration">
            <ActionLink
              context={context}
              operation="config.reload"
              values={{}}
              scope="admin"
              class=""
              harmless
              off={config.ok && config.data.file === null ? 'Footman runs without a file' : null}
            >
              Reload
            </ActionLink>
          </SystemHead>
          <div class="stack">
            {part(
              problems,
              (data) => (
                <ProblemsPanel context={context} {...data} />
              ),
              'Problems',
            )}
            {part(config, (data) => (
              <Shown context={context} data={data} />
            ))}
          </div>
        </>
      ),
    }
  },
}

const MARKS: Readonly<Record<ConfigProblems['problems'][number]['severity'], readonly [IconName, Tone]>> = {
  error: ['failed', 'bad'],
  warning: ['self', 'warn'],
  info: ['skip', 'muted'],
}

const ProblemsPanel = ({ context, problems, pending }: { readonly context: PageContext } & ConfigProblems) => (
  <>
    {pending && (
      <Panel id="pending" title="Changed in the file and not in use">
        <div class="body stack">
          {pending.changedAt && (
            <p class="sub">
              The file was written <Ago at={pending.changedAt} zone={context} />.
            </p>
          )}
          <Difference pending={pending} />
        </div>
      </Panel>
    )}
    {problems.length === 0 ? (
      <Empty title="The file has no problems" />
    ) : (
      <Panel id="problems" title="Problems of the file" count={problems.length}>
        <Table
          context={context}
          part="problems"
          caption="Problems of the configuration file"
          rows={problems}
          keyOf={({ path, message }) => `${path} ${message}`}
          columns={[
            {
              head: 'Key',
              sort: (row) => row.path,
              cell: ({ severity, path }) => {
                const [icon, tone] = MARKS[severity]
                return (
                  <span class="l">
                    <Icon name={icon} class={tone} label={severity} />
                    <Name text={path || 'file'} />
                  </span>
                )
              },
            },
            { head: 'Line', num: true, sort: (row) => row.line || null, cell: ({ line }) => (line > 0 ? line : '–') },
            {
              head: 'Problem',
              cell: ({ message, hint, feature }) => (
                <>
                  <Name text={message} />
                  {hint && (
                    <p class="sub">
                      <Name text={hint} />
                    </p>
                  )}
                  {feature && <p class="sub">{feature} stays off.</p>}
                </>
              ),
            },
          ]}
        />
      </Panel>
    )}
  </>
)

const Difference = ({
  pending: { difference, needsRestart },
}: {
  readonly pending: NonNullable<ConfigProblems['pending']>
}) => (
  <>
    <pre class="diff" tabindex={0}>
      {difference.split('\n').map((line) =>
        line.startsWith('+') ? (
          <ins>
            <Name text={line} />
            {'\n'}
          </ins>
        ) : (
          <del>
            <Name text={line} />
            {'\n'}
          </del>
        ),
      )}
    </pre>
    {needsRestart.length > 0 && (
      <p>
        <Icon name="self" class="warn" /> Only a restart takes these into use: <code>{needsRestart.join(', ')}</code>
      </p>
    )}
  </>
)

const Shown = ({ context, data }: { readonly context: PageContext; readonly data: CurrentConfiguration }) => {
  const isTree = context.query.get('as') === 'tree'
  const wanted = (context.query.get('q') ?? '').trim().toLowerCase()
  const { configuration, file, inUseSince } = data
  const choice = (
    <Choice
      small
      label="Form"
      options={[
        { text: 'YAML', href: context.here({ as: null, q: null }), chosen: !isTree },
        { text: 'Tree', href: context.here({ as: 'tree' }), chosen: isTree },
      ]}
    />
  )
  return (
    <Panel id="config" title="In use" tools={choice}>
      <div class="body stack">
        <p class="sub">
          <Name text={file ?? 'Without a file'} />, in use since <Ago at={inUseSince} zone={context} />. Secrets and
          mail addresses are masked.
        </p>
        {isTree && (
          <form method="get" action={context.link('/system/config')} class="filters">
            <input type="hidden" name="as" value="tree" />
            <label class="field grow">
              <span>Keys and values with</span>
              <input type="search" name="q" value={wanted} autocomplete="off" />
            </label>
            <button type="submit" class="btn">
              Filter
            </button>
          </form>
        )}
        {isTree ? (
          <div class="tree">
            {Object.entries(filtered(configuration, wanted)).map(([key, item]) => (
              <TreeNode name={key} value={item} open={wanted !== ''} />
            ))}
          </div>
        ) : (
          <pre class="yaml" tabindex={0}>
            <code>{yamlLines(stringify({ Butler: configuration }, { lineWidth: 0 }))}</code>
          </pre>
        )}
      </div>
    </Panel>
  )
}

type Members = Readonly<Record<string, unknown>>

/** The members whose path or value has the text. */
function filtered(value: Members, wanted: string): Members {
  if (wanted === '') return value
  const kept = Object.entries(value).flatMap(([key, item]): [string, unknown][] => {
    if (key.toLowerCase().includes(wanted)) return [[key, item]]
    if (typeof item !== 'object' || item === null)
      return String(item).toLowerCase().includes(wanted) ? [[key, item]] : []
    const below = filtered(item as Members, wanted)
    return Object.keys(below).length > 0 ? [[key, below]] : []
  })
  return Object.fromEntries(kept)
}

export const configOperations: Operations = {
  'config.reload': {
    scope: 'admin',
    verb: 'Reload the configuration',
    call: () => addressOf(RELOAD_CONFIG, {}),
    async dialog(_, { ask }) {
      const answer = await ask(CONFIG_PROBLEMS)
      if (!answer.ok) return <ErrorBox failure={answer} />
      const { pending, problems } = answer.data
      const errors = problems.filter(({ severity }) => severity === 'error')
      return (
        <>
          {errors.length > 0 && <p>Errors of the file: {errors.length}. Those that are new prevent the reload.</p>}
          {pending ? <Difference pending={pending} /> : <p>Nothing has changed in the file.</p>}
        </>
      )
    },
    done(answer) {
      const { changed, needsRestart } = answer as ReloadResult
      return `Reloaded: ${counted(changed.length, 'setting')} changed, ${needsRestart.length} ${needsRestart.length === 1 ? 'needs' : 'need'} a restart.`
    },
    next: () => '/system/config',
  },
}
