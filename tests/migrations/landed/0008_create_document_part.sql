insert into document_part
    (document_id, number, is_only, project_doc_id, kind, vector, tokens, body, headings, ends,
     pairs, digest)
values
    ('30000000-0000-4000-8000-000000000001', 0, true, '20000000-0000-4000-8000-000000000001', 'prd',
     '''!title'' ''^title'' ''title'' ''^why'' ''prd''',
     E' title| \t docsprd| prdmd| docs|doc prd| md| \t prdmd| prd| md| \n title| \t \t \n why| \t title| \t ',
     '', '{"","0","0 1"}', '{0,0,0}', '\x0000000000000000', '\x00');
insert into document_heading (document_id, number, project_id, text)
values
    ('30000000-0000-4000-8000-000000000001', 0, '10000000-0000-4000-8000-000000000001', 'title '),
    ('30000000-0000-4000-8000-000000000001', 2, '10000000-0000-4000-8000-000000000001', 'why ');
insert into vocabulary (word) values ('title');
