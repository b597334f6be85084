"""What a company will spend, who decides and who of us knows them: methods and pages."""
