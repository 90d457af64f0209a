{{- define "aorta.labels" -}}
app.kubernetes.io/name: aorta
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
