/** The list of metrics in the documentation. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { METRIC_FAMILIES, withMetricList } from '../../../scripts/lib/metric-list.ts'
import { repositoryRoot } from '../../support/source.ts'

const page = readFileSync(join(repositoryRoot, 'docs/metrics.md'), 'utf8')

test('docs/metrics.md is up to date (npm run docs)', () => {
  expect(withMetricList(page) === page).toBe(true)
})

test('a page without a place for it is refused', () => {
  expect(() => withMetricList('# Metrics')).toThrow('the page has no place for the list')
})

/** From the table of what there is to be. */
const EXPECTED: Readonly<Record<string, [type: string, ...labels: string[]]>> = {
  footman_build_info: ['gauge', 'version', 'runtime', 'os', 'role'],
  footman_events_received_total: ['counter', 'source'],
  footman_events_dropped_total: ['counter', 'reason'],
  footman_events_total: ['counter', 'type', 'outcome', 'source'],
  footman_events_pending: ['gauge'],
  footman_event_oldest_pending_seconds: ['gauge'],
  footman_enrichment_duration_seconds: ['histogram', 'result'],
  footman_alerts_routed_total: ['counter', 'route', 'outcome'],
  footman_deliveries_total: ['counter', 'destination', 'state', 'reason'],
  footman_deliveries_pending: ['gauge', 'destination'],
  footman_deliveries_dead: ['gauge', 'destination'],
  footman_destination_up: ['gauge', 'destination'],
  footman_delivery_attempts_total: ['counter', 'destination', 'result'],
  footman_delivery_latency_seconds: ['histogram', 'destination'],
  footman_task_executions_total: ['counter', 'type', 'outcome'],
  footman_task_run_duration_seconds: ['histogram', 'type'],
  footman_task_queue_duration_seconds: ['histogram', 'type'],
  footman_tasks_running: ['gauge', 'type'],
  footman_tasks_queued: ['gauge', 'type'],
  footman_task_last_success_timestamp_seconds: ['gauge', 'task_id', 'task'],
  footman_task_last_run_duration_seconds: ['gauge', 'task_id', 'task'],
  footman_task_last_run_success: ['gauge', 'task_id', 'task'],
  footman_task_consecutive_failures: ['gauge', 'task_id', 'task'],
  footman_task_starts_total: ['counter', 'origin', 'result'],
  footman_start_queue_length: ['gauge'],
  footman_task_retries_total: ['counter', 'result'],
  footman_watchdog_events_total: ['counter', 'outcome'],
  footman_http_requests_total: ['counter', 'method', 'route', 'status'],
  footman_http_request_duration_seconds: ['histogram', 'method', 'route'],
  footman_auth_failures_total: ['counter', 'reason'],
  footman_streams: ['gauge'],
  footman_qrs_up: ['gauge'],
  footman_qrs_requests_total: ['counter', 'result'],
  footman_qrs_request_duration_seconds: ['histogram'],
  footman_kv_namespaces: ['gauge'],
  footman_kv_keys: ['gauge'],
  footman_kv_operations_total: ['counter', 'operation'],
  footman_schedules: ['gauge', 'state'],
  footman_schedule_runs_total: ['counter', 'outcome'],
  footman_schedule_lag_seconds: ['histogram'],
  footman_report_runs_total: ['counter', 'outcome'],
  footman_report_run_duration_seconds: ['histogram'],
  footman_report_documents_total: ['counter', 'format'],
  footman_report_mails_total: ['counter', 'state'],
  footman_report_queue_length: ['gauge'],
  footman_report_engine_sessions: ['gauge'],
  footman_file_operations_total: ['counter', 'operation', 'result'],
  footman_file_bytes_total: ['counter', 'operation'],
  footman_mqtt_connected: ['gauge', 'broker'],
  footman_mqtt_messages_total: ['counter', 'direction'],
  footman_service_state: ['gauge', 'host', 'service'],
  footman_license_days_remaining: ['gauge'],
  footman_license_allocated: ['gauge', 'license_type'],
  footman_license_available: ['gauge', 'license_type'],
  footman_certificate_expiry_timestamp_seconds: ['gauge', 'certificate'],
  footman_cluster_mode: ['gauge', 'mode'],
  footman_cluster_nodes: ['gauge', 'state'],
  footman_cluster_epoch: ['gauge'],
  footman_cluster_database_up: ['gauge'],
  footman_cluster_clock_offset_seconds: ['gauge'],
  footman_cluster_waiting: ['gauge'],
  footman_cluster_inbox_open: ['gauge'],
  footman_cluster_unshipped_rows: ['gauge'],
  footman_cluster_follow_lag_seconds: ['gauge'],
  footman_cluster_offers_total: ['counter', 'result'],
  footman_cluster_shipped_rows_total: ['counter'],
  footman_cluster_applied_rows_total: ['counter'],
  footman_cluster_ship_duration_seconds: ['histogram'],
  footman_cluster_command_duration_seconds: ['histogram'],
  footman_cluster_barrier_duration_seconds: ['histogram'],
  footman_cluster_takeovers_total: ['counter', 'reason'],
  footman_cluster_commands_total: ['counter', 'result'],
  footman_cluster_fenced_total: ['counter'],
  footman_cluster_alone_seconds_total: ['counter'],
  footman_cluster_duplicate_events_total: ['counter'],
  footman_cluster_rewinds_total: ['counter'],
  footman_database_size_bytes: ['gauge'],
  footman_disk_free_bytes: ['gauge'],
}

test('every metric that others rely on is there with its type and labels', () => {
  const made = Object.fromEntries(METRIC_FAMILIES.map(({ name, type, labels }) => [name, [type, ...labels]]))
  expect(made).toMatchObject(EXPECTED)
})
