// The API's documents in Swagger UI. Nothing of it is fetched from, or sent to, another server.

/* global SwaggerUIBundle */
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null });
