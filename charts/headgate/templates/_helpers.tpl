{{/* The name that every object begins with. */}}
{{- define "headgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the pods of a component: (dict "root" $ "component" "operator"). */}}
{{- define "headgate.selector" -}}
app.kubernetes.io/name: headgate
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "headgate.labels" -}}
{{ include "headgate.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: headgate
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "headgate.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* The Secret with the URL of a store: (dict "root" $ "store" $store). */}}
{{- define "headgate.storeSecret" -}}
{{- if and .root.Values.valkey.enabled (eq .store.name "default") -}}
{{ include "headgate.name" .root }}-valkey
{{- else -}}
{{ required (printf "stores: %s needs a secretName, a Secret in this namespace with the key url" .store.name) .store.secretName }}
{{- end -}}
{{- end -}}

{{- define "headgate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "headgate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where pods of a component go: (dict "root" $ "component" "api" "values" .Values.api). */}}
{{- define "headgate.placement" -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .values.affinity }}
affinity: {{- toYaml .values.affinity | nindent 2 }}
{{- else }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "headgate.selector" . | nindent 12 }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "headgate.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Stores exist once, and the API's is one of them. */}}
{{- define "headgate.check" -}}
{{- $names := list -}}
{{- range .Values.stores -}}
{{- if has .name $names -}}{{- fail (printf "stores: two are named %s" .name) -}}{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if and .Values.api.enabled (not (has .Values.api.store $names)) -}}
{{- fail (printf "api.store is %s: it must be one of stores: %s" .Values.api.store (join ", " $names)) -}}
{{- end -}}
{{- if and .Values.valkey.enabled (not (has "default" $names)) -}}
{{- fail "valkey.enabled gives the store named default its address: stores must have one of that name" -}}
{{- end -}}
{{- if and .Values.api.ingress.enabled (not .Values.api.ingress.host) -}}
{{- fail "api.ingress.enabled needs api.ingress.host, for example headgate.example.com" -}}
{{- end -}}
{{- end -}}
