/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Two people have changed one thing: both versions, and the buttons that go on. */
import type { Child, FC } from 'hono/jsx'
import type { PageContext } from '../page.ts'
import { Panel } from '../ui/panel.tsx'
import { Name, Time } from '../ui/text.tsx'
import { differences, type Members, memberAt } from './fields.ts'

interface VersionConflictProps {
  readonly context: PageContext
  /** The thing when the form was opened, now, and in the form. */
  readonly before: unknown
  readonly now: unknown
  readonly mine: unknown
  readonly revision: number
  readonly by: string
  /** Time of the API. */
  readonly at: string
}

/** The changes of another caller since the form was opened, member by member. Its buttons are `merge` and `mine` of `do`. */
export const VersionConflict: FC<VersionConflictProps> = ({ context, before, now, mine, revision, by, at }) => {
  const shown = (value: unknown): Child =>
    value === undefined ? <span class="muted">none</span> : <Name text={JSON.stringify(value)} />
  const memberOf = (version: unknown, path: string) => (path === '' ? version : memberAt(version, path))
  return (
    <Panel id="conflict" title="Not saved: someone else has changed it" class="alert">
      <div class="body stack">
        <p>
          <Name text={by} /> saved revision {revision} <Time at={at} zone={context} />.
        </p>
        <section class="scroll" tabindex={0} aria-label="Differences">
          <table class="tbl">
            <caption class="sr">Members that were changed meanwhile</caption>
            <thead>
              <tr>
                {['Member', 'When you opened it', 'Now', 'Yours'].map((head) => (
                  <th scope="col">{head}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {differences(before, now).map((path) => (
                <tr>
                  <td>
                    <code>{path || 'value'}</code>
                  </td>
                  {[before, now, mine].map((version, n) => (
                    <td data-t={['Opened', 'Now', 'Yours'][n]}>{shown(memberOf(version, path))}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <div class="acts">
          <button type="submit" class="btn" name="do" value="merge">
            Take over what I did not change
          </button>
          <button type="submit" class="btn" name="do" value="mine">
            Keep mine as it is
          </button>
        </div>
      </div>
    </Panel>
  )
}

interface Versions {
  readonly before: Members
  readonly mine: Members
  readonly theirs: Members
}

/** The members to go on with after a conflict. `merge`: those that were not changed in the form are theirs. */
export function takenOver({ before, mine, theirs }: Versions, revision: number, merge: boolean) {
  if (!merge) return { members: mine, notice: `Saving will replace revision ${revision}. Nothing is saved yet.` }
  const names = [...new Set([...Object.keys(before), ...Object.keys(mine)])]
  const own = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(mine[name]))
  return {
    members: { ...theirs, ...Object.fromEntries(own.map((name) => [name, mine[name]])) },
    notice: `Members that you did not change are those of revision ${revision}. Nothing is saved yet.`,
  }
}
